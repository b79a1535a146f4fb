import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { writeWhole } from "../../src/base/write-whole.ts";

test("more pieces than one call takes, empty ones among them, are all written where they belong", async () => {
  await using folder = await makeTempDir("banger-whole-");
  const path = join(folder.path, "file");
  await using file = await open(path, "wx");
  const pieces = Array.from({ length: 3000 }, (_, at) => Buffer.from("x".repeat(at % 7)));
  const text = Buffer.concat(pieces).toString();
  assert.equal(await writeWhole(file, [Buffer.from("head")], 0), 4);
  assert.equal(await writeWhole(file, pieces, 4), 4 + text.length);
  assert.equal(await writeWhole(file, [Buffer.alloc(0)], 9), 9);
  assert.equal(await readFile(path, "utf8"), `head${text}`);
});

test("a disk that gets full in the middle is an error, and no shorter file", async () => {
  await using folder = await makeTempDir("banger-whole-");
  // A mount namespace of its own, so that the tmpfs goes with the process; a user namespace where we are not root.
  const namespaces = process.getuid?.() === 0 ? ["-m"] : ["-rm"];
  const script = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" "$1"';
  const child = join(import.meta.dirname, "write-past-end.ts");
  const args = ["sh", "-c", script, "sh", folder.path, process.execPath, child];
  assert.equal(execFileSync("unshare", [...namespaces, ...args], { encoding: "utf8" }), "ENOSPC");
});
