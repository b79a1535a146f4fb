import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { BangerError } from "../../src/base/error.ts";
import {
  asTempDirError,
  makeDir,
  makeTempDir,
  removeTree,
  sweepTemporaries,
  writeAtomic,
} from "../../src/base/files.ts";

test("a temporary folder is ours alone, and goes", async () => {
  let path = "";
  {
    await using folder = await makeTempDir("banger-test-");
    path = folder.path;
    writeFileSync(join(path, "file"), "x");
    assert.equal(statSync(path).mode & 0o777, 0o700);
  }
  assert.ok(!existsSync(path));
});

test("a temporary folder that is full is named; what is told already, and what is no full disk, stays", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  const named = asTempDirError(full, "inject", "/tmp/here");
  assert.equal(named.reason, "DISK_FULL");
  assert.equal(named.message, "inject: no space left in the temporary folder /tmp/here");
  assert.match(named.hint, /or point TMPDIR at/);
  const told = new BangerError("DISK_FULL", "the cache is full", { op: "fetch" });
  assert.equal(asTempDirError(told, "inject", "/tmp/here"), told);
  assert.equal(asTempDirError(new Error("odd"), "inject", "/tmp/here").reason, "INTERNAL");
});

test("removing a tree follows no link", async () => {
  const folder = mkdtempSync(join(tmpdir(), "banger-files-"));
  try {
    writeFileSync(join(folder, "kept"), "x");
    await makeDir(join(folder, "a", "b"));
    symlinkSync(folder, join(folder, "a", "b", "up"));
    await removeTree(join(folder, "a"));
    await removeTree(join(folder, "a"));
    assert.deepEqual(readdirSync(folder), ["kept"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a folder that can't be is refused, and not tried for ever", async () => {
  await using folder = await makeTempDir("banger-files-");
  const path = (name: string): string => join(folder.path, name);
  symlinkSync(path("nowhere"), path("dangling"));
  writeFileSync(path("file"), "x");
  await assert.rejects(makeDir("/proc/none/of/these"), { code: "ENOENT" });
  await assert.rejects(makeDir(path("dangling/sub")), { code: "EEXIST" });
  await assert.rejects(makeDir(path("file")), { code: "EEXIST" });
  await assert.rejects(makeDir(path("file/sub")), { code: "ENOTDIR" });
  symlinkSync(folder.path, path("link"));
  await makeDir(path("link/new/sub"));
  await makeDir(path("link"));
  assert.equal(statSync(path("new/sub")).mode & 0o777, 0o700);
});

test("an atomic write replaces the whole file and leaves nothing beside it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "banger-files-"));
  try {
    const path = join(folder, "file");
    await writeAtomic(path, Buffer.from("one"));
    await writeAtomic(path, Buffer.from("two"), 0o644);
    assert.equal(readFileSync(path, "utf8"), "two");
    assert.equal(statSync(path).mode & 0o777, 0o644);
    await assert.rejects(writeAtomic(join(folder, "none", "file"), Buffer.from("x")), { code: "ENOENT" });
    assert.deepEqual(readdirSync(folder), ["file"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what a killed replacement of a file left is swept, and nothing else", async () => {
  await using folder = await makeTempDir("banger-sweep-");
  const names = ["daemon.json", "daemon.json.22a99390e44b.tmp", "notes.tmp", "x.22a99390e44b.tmp.keep"];
  for (const name of names) writeFileSync(join(folder.path, name), "x");
  await sweepTemporaries(folder.path);
  await sweepTemporaries(join(folder.path, "none"));
  assert.deepEqual(readdirSync(folder.path).toSorted(), [
    "daemon.json",
    "notes.tmp",
    "x.22a99390e44b.tmp.keep",
  ]);
});
