import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";

/** What `bangerd` says where it does not start: as `banger` tells errors. */
const bangerd = join(import.meta.dirname, "../../src/bin/bangerd.js");

let place: TempDir;
before(async () => {
  place = await makeTempDir("banger-start-");
});
after(() => place[Symbol.asyncDispose]());

function refused(...words: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr, stdout } = spawnSync(process.execPath, [bangerd, ...words], {
    encoding: "utf8",
    env: { HOME: place.path, TMPDIR: place.path },
  });
  assert.equal(stdout, "");
  return { status, stderr };
}

test("a command line that can't be right", () => {
  assert.deepEqual(refused("--sokcet", "/x"), {
    status: 2,
    stderr: "bangerd: unknown option '--sokcet'\n  → Did you mean --socket?\n",
  });
  assert.deepEqual(refused("--socket"), {
    status: 2,
    stderr: "bangerd: option '--socket <path>' argument missing\n  → See `bangerd --help`.\n",
  });
  assert.match(refused("serve").stderr, /^bangerd: too many arguments.*\n {2}→ See `bangerd --help`\.\n$/);
});

test("every mistake of a config, each with its line and what to do", async () => {
  const path = join(place.path, "config.toml");
  await writeFile(path, '[cache]\nhigh = 3\n[pulls]\nconcurrent = "many"\n');
  assert.deepEqual(refused("--config", path), {
    status: 1,
    stderr: [
      `bangerd: ${path}:2:1: cache.high is no setting that is known: expected one of high_water, low_water`,
      "  → Remove it; docs/config.md has all settings.",
      `bangerd: ${path}:4:1: pulls.concurrent: expected a whole number from 1 to 1000`,
      "  → Correct the configuration file at the place named.",
      "",
    ].join("\n"),
  });
});

test("a file where a folder is to be", async () => {
  const file = join(place.path, "file");
  await writeFile(file, "");
  const state = join(place.path, "state");
  await mkdir(state, { mode: 0o700 });
  const said = (what: string, path: string, flag: string): string =>
    `bangerd: the ${what} folder ${path}\n  → Name a folder with ${flag}, or move that file away.\n`;
  for (const [words, what, path, flag] of [
    [["--state-dir", file], "state", `${file} is not a folder`, "--state-dir"],
    [
      ["--state-dir", join(file, "x", "y")],
      "state",
      `${join(file, "x", "y")} can't be made: ${file} is not a folder`,
      "--state-dir",
    ],
    [["--state-dir", state, "--cache-dir", file], "cache", `${file} is not a folder`, "--cache-dir"],
    [
      ["--state-dir", state, "--cache-dir", join(place.path, "cache"), "--socket", join(file, "s")],
      "socket",
      `${file} is not a folder`,
      "--socket",
    ],
  ] as const) {
    assert.deepEqual(refused(...words), { status: 1, stderr: said(what, path, flag) });
  }
});
