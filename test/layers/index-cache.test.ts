import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { loadIndex } from "../../src/layers/index/cache.ts";
import { encodeIndex } from "../../src/layers/index/encode.ts";
import { arbitraryIndex } from "./arbitrary-index.ts";

const never = new AbortController().signal;

test("a right index is given back and stays; what is none goes", async () => {
  await using folder = await makeTempDir("banger-index-");
  const path = join(folder.path, "index");
  const [index] = fc.sample(arbitraryIndex, { seed: 3, numRuns: 1 });
  assert.ok(index !== undefined);
  const load = (blob = index.blobDigest) => loadIndex(path, blob, index.diffId, defaultLimits, never);

  assert.equal(await load(), undefined, "absent");
  await writeFile(path, encodeIndex(index));
  assert.deepEqual(await load(), index);
  assert.deepEqual(await load(), index);

  assert.equal(await load(digestOf(Buffer.from("another blob"))), undefined);
  assert.deepEqual(await readdir(folder.path), []);
  await writeFile(path, "no index");
  assert.equal(await load(), undefined);
  assert.deepEqual(await readdir(folder.path), []);
  await mkdir(path);
  assert.equal(await load(), undefined);
  assert.deepEqual(await readdir(folder.path), []);
});

test("loading stops when it is aborted", async () => {
  await using folder = await makeTempDir("banger-index-");
  const path = join(folder.path, "index");
  const [index] = fc.sample(arbitraryIndex, { seed: 3, numRuns: 1 });
  assert.ok(index !== undefined);
  await writeFile(path, encodeIndex(index));
  const work = loadIndex(path, index.blobDigest, index.diffId, defaultLimits, AbortSignal.abort());
  await assert.rejects(work, (error) => hasReason(error, "CANCELLED"));
  assert.deepEqual(await readdir(folder.path), ["index"]);
});
