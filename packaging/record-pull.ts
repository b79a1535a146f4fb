/**
 * Records the pull that the README shows, and draws it: `node packaging/record-pull.ts`. What is pulled is Debian, as
 * `mmdebstrap` makes it for the tests, in three layers, from a registry on this machine that sends them no faster than
 * a network would.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../test/fakes/registry/images.ts";
import { FakeRegistry } from "../test/fakes/registry/registry.ts";
import { debianRoot } from "../test/system/debian-image.ts";
import { inTerminal } from "../test/system/in-terminal.ts";
import { pictureOf, type Recording } from "./terminal-svg.ts";

const root = join(import.meta.dirname, "..");
/** Where people run a registry of their own, and what they call Debian there. */
const port = 5000;
const reference = `localhost:${port}/debian:bookworm`;
const layerCount = 3;
const block = 512;

/** An archive cut between its entries: each piece is one, too, and together they are what it was. */
function pieces(archive: Buffer, count: number): Buffer[] {
  const cuts = [0];
  let at = 0;
  let extended = false;
  while (at < archive.length && archive[at] !== 0) {
    if (!extended && at >= (archive.length / count) * cuts.length) cuts.push(at);
    const size = Number.parseInt(archive.toString("latin1", at + 124, at + 135), 8);
    // What a PAX or GNU header says is of the entry that follows.
    extended = "xLK".includes(String.fromCodePoint(archive[at + 156] ?? 0));
    at += block + Math.ceil(size / block) * block;
  }
  const end = Buffer.alloc(2 * block);
  return cuts.map((from, index) => Buffer.concat([archive.subarray(from, cuts[index + 1] ?? at), end]));
}

/** Each update by itself, so that a picture can be taken after any. */
function framesOf(output: string): readonly string[] {
  const end = "\u001b[?2026l";
  const parts = output.split(end);
  return parts.map((part, at) => (at < parts.length - 1 ? part + end : part));
}

async function record(): Promise<Recording> {
  await using registry = await FakeRegistry.start(port);
  registry.add("debian", "bookworm", buildImage({ layers: pieces(debianRoot(), layerCount) }));
  registry.fault({ path: /blobs/ }, { drip: { bytes: 200_000, everyMs: 20 } });
  const home = mkdtempSync(join(tmpdir(), "banger-picture-"));
  const size = { columns: 80, rows: 30 };
  const command = ["image", "pull", reference];
  try {
    using run = inTerminal(
      [process.execPath, join(root, "src/bin/banger.js"), ...command],
      { HOME: home },
      size,
    );
    if ((await run.ended) !== 0) throw new Error(run.screen.lines.join("\n"));
    return { command: `banger ${command.join(" ")}`, ...size, output: framesOf(run.output()) };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

const recording = await record();
writeFileSync(join(import.meta.dirname, "pull-recording.json"), `${JSON.stringify(recording, null, 2)}\n`);
writeFileSync(join(root, "docs/pull.svg"), pictureOf(recording));
