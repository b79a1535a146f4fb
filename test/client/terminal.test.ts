import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hideCursor, showCursor } from "../../src/client/render/repaint.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { inTerminal, type TerminalRun } from "../system/in-terminal.ts";
import { tarOf } from "../system/tar-of.ts";

/** The real program in real pseudo-terminals, against a registry that is slow, broken, or has much to give. */
const program = join(import.meta.dirname, "../../src/bin/banger.js");
const repository = `team/${"a-name-that-is-long-".repeat(8)}app`;

let place: TempDir;
let registry: FakeRegistry;
let one: FakeImage;
let homes = 0;

before(async () => {
  place = await makeTempDir("banger-terminal-");
  registry = await FakeRegistry.start();
  one = buildImage({ layers: [await layer(0, 300_000)] });
  registry.add(repository, "one", one);
  const sixty = await Promise.all(Array.from({ length: 60 }, (_, index) => layer(index, 2000)));
  registry.add(repository, "sixty", buildImage({ layers: sixty }));
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

/** No compressor makes it smaller, so that what is sent is what is there. */
function layer(index: number, bytes: number): Promise<Buffer> {
  return tarOf((put) => put({ name: `file-${index}` }, noise(bytes, index + 1)));
}

interface Watched extends TerminalRun {
  readonly home: string;
  /** What could be seen while the cursor was hidden, that is while the picture was live. */
  readonly frames: (readonly string[])[];
  /** Ends when a frame has such a line. */
  until(line: RegExp): Promise<void>;
}

function pull(
  tag: string,
  size: { readonly columns: number; readonly rows: number },
  env: Readonly<Record<string, string>> = {},
  around: readonly string[] = [],
): Watched {
  const home = join(place.path, `h${homes++}`);
  mkdirSync(home);
  const words = ["image", "pull", `${registry.host}/${repository}:${tag}`, "--name", "app"];
  const run = inTerminal([...around, process.execPath, program, ...words], { HOME: home, ...env }, size);
  const frames: (readonly string[])[] = [];
  const waiting: { readonly line: RegExp; readonly resolve: () => void }[] = [];
  const { screen } = run;
  screen.onFrame = () => {
    if (screen.cursorShown) return;
    const { visible } = screen;
    frames.push(visible);
    assert.equal(screen.overflows, 0, visible.join("\n"));
    for (const { line, resolve } of waiting) if (visible.some((text) => line.test(text))) resolve();
  };
  const until = (line: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ line, resolve });
      void run.ended.then(() => reject(new Error(`never seen: ${line}\n${screen.lines.join("\n")}`)), reject);
    });
  return Object.assign(run, { home, frames, until });
}

/** Slow enough for some frames of it. */
function drip(): void {
  registry.fault({ path: /blobs\/sha256/, times: 2 }, { drip: { bytes: 20_000, everyMs: 60 } });
}

function seen({ frames }: Watched, line: RegExp): boolean {
  return frames.some((frame) => frame.some((text) => line.test(text)));
}

/** A picture that was not taken away would be there twice. */
function assertWhole({ frames, screen }: Watched): void {
  for (const frame of frames) {
    const heads = frame.filter((text) => / → app {2}/.test(text)).length;
    assert.ok(heads <= 1, frame.join("\n"));
  }
  assert.ok(screen.cursorShown);
}

for (const size of [
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
]) {
  test(`a slow registry at ${size.columns} columns: bars that fill, then the summary alone`, async () => {
    drip();
    using run = pull("one", size);
    assert.equal(await run.ended, 0, run.screen.lines.join("\n"));
    assertWhole(run);
    assert.ok(seen(run, /^ {4}[0-9a-f]{12} ━+─+ +\d+ % [\d.]+ KiB of 293 KiB/), "a bar");
    assert.ok(seen(run, /KiB\/s/), "a rate");
    const { lines } = run.screen;
    assert.match(lines[0] ?? "", /^✓ app is ready, in /);
    assert.ok(
      lines.some((line) => /^ {2}fetch +[\d.]+ m?s {2}━*╸? +\d+ KiB$/.test(line)),
      lines.join("\n"),
    );
    assert.ok(lines.some((line) => line === "  losses   none: the disk holds all that the image says"));
    assert.equal(lines.at(-1), "");
  });
}

test("20 columns and 8 rows: less is shown, and nothing wraps", async () => {
  drip();
  using run = pull("one", { columns: 20, rows: 8 });
  assert.equal(await run.ended, 0, run.screen.lines.join("\n"));
  assertWhole(run);
  assert.ok(seen(run, /^ {4}[0-9a-f]{12} [━─]* *\d* ?%?/), "a layer");
});

test("60 layers are folded into what a terminal has room for", async () => {
  using run = pull("sixty", { columns: 80, rows: 24 });
  assert.equal(await run.ended, 0, run.screen.lines.join("\n"));
  assertWhole(run);
  assert.ok(seen(run, /^ {4}60 layers, \d+ done, \d+ to scan, \d+ at work, \d+ waiting$/), "the fold");
  assert.ok(run.frames.every((frame) => frame.length <= 24));
  assert.match(run.screen.lines[0] ?? "", /^✓ app is ready/);
});

test("a broken registry: what is wrong, and when it is tried again", async () => {
  registry.fault({ path: /blobs\/sha256/, times: 1 }, { status: 429, headers: { "retry-after": "1" } });
  using run = pull("one", { columns: 80, rows: 24 });
  assert.equal(await run.ended, 0, run.screen.lines.join("\n"));
  assertWhole(run);
  assert.ok(seen(run, /^! config [0-9a-f]{12}: try 2 in (?:\d+ ms|[12]\.\d s): .*429/), "the retry");
});

test("made narrower and wider while it runs", async () => {
  registry.fault({ path: /blobs\/sha256/, times: 2 }, { drip: { bytes: 8000, everyMs: 60 } });
  using run = pull("one", { columns: 100, rows: 24 });
  await run.until(/━/);
  await run.resize(40, 20);
  await run.until(/^.{1,40}$/);
  await run.resize(120, 30);
  assert.equal(await run.ended, 0, run.screen.lines.join("\n"));
  assert.ok(run.screen.cursorShown);
  const { lines } = run.screen;
  assert.equal(lines.filter((line) => line.includes("is ready, in")).length, 1);
  assert.match(lines[0] ?? "", /^✓ app is ready/, lines.join("\n"));
});

test("Ctrl-C: 130, the cursor is back, and the last picture stays", async () => {
  registry.fault({ path: /blobs\/sha256/, times: 2 }, { drip: { bytes: 2000, everyMs: 100 } });
  using run = pull("one", { columns: 80, rows: 24 });
  await run.until(/━/);
  run.type("\u0003");
  assert.equal(await run.ended, 130);
  assertWhole(run);
  const { lines } = run.screen;
  assert.ok(
    lines.some((line) => line.startsWith("banger: interrupted")),
    lines.join("\n"),
  );
});

test("Ctrl-Z: the cursor is the shell's meanwhile, and the picture begins anew below what was said there", async () => {
  registry.fault({ path: /blobs\/sha256/, times: 2 }, { drip: { bytes: 8000, everyMs: 60 } });
  const shell = ["bash", "-mc", '"$0" "$@"; echo "stopped: $?"; sleep 0.3; echo again; fg >/dev/null'];
  using run = pull("one", { columns: 80, rows: 50 }, {}, shell);
  await run.until(/━/);
  run.type("\u001a");
  assert.equal(await run.ended, 0, run.screen.lines.join("\n"));
  // 128 + SIGTSTP of signal(7).
  const [live = "", shells = "", anew = ""] = run.output().split(/^(stopped: 148\r\n.*)again\r$/ms);
  assert.ok(live.lastIndexOf(showCursor) > live.lastIndexOf(hideCursor), JSON.stringify(live));
  assert.equal(shells, "stopped: 148\r\n");
  assert.match(anew, /━/, "a picture after it goes on");
  assert.ok(anew.indexOf(hideCursor) >= 0 && anew.indexOf(hideCursor) < anew.indexOf("━"));
  assert.ok(run.screen.cursorShown);
  const { lines } = run.screen;
  assert.match(lines[lines.indexOf("again") + 1] ?? "", /^✓ app is ready/, lines.join("\n"));
  assert.ok(
    lines.slice(0, lines.indexOf("stopped: 148")).some((line) => line.includes("━")),
    lines.join("\n"),
  );
});

test("NO_COLOR: the same picture without colours", async () => {
  using run = pull("one", { columns: 80, rows: 24 }, { NO_COLOR: "1" });
  assert.equal(await run.ended, 0);
  assertWhole(run);
  assert.doesNotMatch(run.output(), /\[[0-9;]*m/);
  assert.match(run.screen.lines[0] ?? "", /^✓ app is ready/);
});

test("TERM=dumb: lines, and no sequence at all", async () => {
  using run = pull("one", { columns: 80, rows: 24 }, { TERM: "dumb" });
  assert.equal(await run.ended, 0);
  assert.ok(!run.output().includes("\u001b"), JSON.stringify(run.output()));
  assert.match(run.output(), /^resolve: .*\r\n/);
});

test("a locale that is not UTF-8: ASCII alone", async () => {
  using run = pull("one", { columns: 80, rows: 24 }, { LANG: "C" });
  assert.equal(await run.ended, 0);
  assertWhole(run);
  // oxlint-disable-next-line no-control-regex -- all of ASCII is what it is for
  assert.match(run.output(), /^[\u0000-\u007f]*$/);
  assert.match(run.screen.lines[0] ?? "", /^\+ app is ready/);
  const env = { HOME: run.home, LC_ALL: "C" };
  for (const words of [
    ["image", "ls"],
    ["image", "inspect", "app"],
    ["image", "du", "app"],
    ["image", "files", "app"],
    ["pull", "ls"],
    ["kernel", "catalog"],
    ["daemon", "status"],
    ["image", "inspect", "no-such-image"],
    ["image", "pull", `${registry.host}/${repository}:two`, "--progress", "plain"],
  ]) {
    using shown = inTerminal([process.execPath, program, ...words], env, { columns: 60, rows: 24 });
    await shown.ended;
    // oxlint-disable-next-line no-control-regex -- all of ASCII is what it is for
    assert.match(shown.output(), /^[\u0000-\u007f]+$/, words.join(" "));
  }
});
