import assert from "node:assert/strict";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { BangerError } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { builtinDrivers, listModules, modulesRelease } from "../../src/kernel/modules.ts";
import { descriptorsOf } from "../base/faulty-handles.ts";
import { noise } from "../fakes/registry/images.ts";
import { moduleOf } from "./sample-kernels.ts";

const { signal } = new AbortController();

test("a module, and a list of what is built in, of more than any has are not read into memory", async () => {
  await using folder = await makeTempDir("banger-modules-");
  const dir = join(folder.path, "6.1.0-here");
  mkdirSync(dir);
  // Holes, of more than Node reads into one buffer.
  for (const name of ["a.ko", "modules.builtin"]) {
    writeFileSync(join(dir, name), "");
    truncateSync(join(dir, name), 3 * 1024 ** 3);
  }
  const listing = await listModules(dir, defaultLimits, signal);
  assert.equal(await modulesRelease(dir, listing), "6.1.0-here");
  assert.equal(await builtinDrivers(dir, listing), undefined);
  writeFileSync(join(dir, "b.ko"), moduleOf("6.6.1-there"));
  assert.equal(await modulesRelease(dir, await listModules(dir, defaultLimits, signal)), "6.6.1-there");
});

test("what a module says of its release counts only where it is one", async () => {
  await using folder = await makeTempDir("banger-modules-");
  for (const said of ["../../../../pwned", "--config=/x", "6.1.0/../../x", "6.1.0é", `6.${"1".repeat(80)}`]) {
    for (const [name, expected] of [
      ["6.1.0-here", "6.1.0-here"],
      ["6.1.0 here", undefined],
    ] as const) {
      const dir = join(folder.path, name);
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, "a.ko"), moduleOf(said));
      const listing = await listModules(dir, defaultLimits, signal);
      assert.equal(await modulesRelease(dir, listing), expected, said);
    }
  }
});

test("a module is read, and inflated, until it has said its release, wherever that lies", async () => {
  await using folder = await makeTempDir("banger-modules-");
  const forms: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
    ["a.ko", (bytes) => bytes],
    ["a.ko.gz", (bytes) => gzipSync(bytes)],
    ["a.ko.zst", (bytes) => zstdCompressSync(bytes)],
  ];
  for (const [name, pack] of forms) {
    for (const before of [0, 256 * 1024 - 20, 3_000_000]) {
      const dir = join(folder.path, `6.1.0-${name}-${before}`);
      mkdirSync(dir);
      const path = join(dir, name);
      const module = Buffer.concat([Buffer.alloc(before), moduleOf("6.6.1-there"), noise(2_000_000)]);
      // Cut short: whoever wants all of it gets nothing.
      writeFileSync(path, pack(module).subarray(0, -1_000_000));
      const listing = await listModules(dir, defaultLimits, signal);
      assert.equal(await modulesRelease(dir, listing), "6.6.1-there", `${name}, ${before} bytes before it`);
      assert.equal(descriptorsOf(path), 0, "and it is closed");
    }
  }
});

test("a name that is no text is told as what it is, and not as a folder that is missing", async () => {
  await using folder = await makeTempDir("banger-modules-");
  const path = Buffer.concat([Buffer.from(`${folder.path}/a`), Buffer.from([0xff]), Buffer.from(".ko")]);
  writeFileSync(path, "");
  await assert.rejects(
    listModules(folder.path, defaultLimits, signal),
    (error: unknown) =>
      error instanceof BangerError && /a name in it that is not UTF-8: a.*\.ko$/.test(error.message),
  );
});
