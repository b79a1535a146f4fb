import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { readSmallFile } from "../../src/base/small-file.ts";

test("a file is read up to its bound; what is none, or not there, holds nobody up", async () => {
  await using folder = await makeTempDir("banger-small-file-");
  const at = (name: string): string => join(folder.path, name);
  writeFileSync(at("file"), "12345");
  writeFileSync(at("empty"), "");
  mkdirSync(at("folder"));
  execFileSync("mkfifo", [at("pipe")]);
  assert.equal(String(await readSmallFile(at("file"), 5)), "12345");
  assert.equal(await readSmallFile(at("file"), 4), "too large");
  assert.equal(String(await readSmallFile(at("empty"), 4)), "");
  assert.equal(await readSmallFile(at("folder"), 5), "not a file");
  assert.equal(await readSmallFile(at("pipe"), 5), "not a file");
  await assert.rejects(readSmallFile(at("none"), 5), { code: "ENOENT" });
});

test("a file that says it has no bytes is bound by those it gives", async () => {
  assert.match(String(await readSmallFile("/proc/version", 10_000)), /^Linux version/);
  assert.equal(await readSmallFile("/proc/version", 5), "too large");
});
