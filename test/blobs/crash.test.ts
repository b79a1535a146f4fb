import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { noise } from "../fakes/registry/images.ts";

test("H14 a killed download leaves no blob, and the next goes on where it stopped", async () => {
  await using folder = await makeTempDir("banger-crash-");
  const child = fork(join(import.meta.dirname, "half-download.ts"), [folder.path]);
  await once(child, "message");
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  const bytes = noise(300_000);
  const descriptor = { mediaType: "test", digest: digestOf(bytes), size: bytes.length };
  const cache = await BlobCache.open(folder.path);
  assert.equal(cache.has(descriptor), false);
  assert.equal((await readdir(cache.folders.ingest)).length, 1);
  let asked = -1;
  async function* body(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    yield bytes.subarray(offset);
  }
  const { path } = await cache.fetch(
    descriptor,
    async (offset) => {
      asked = offset;
      return { offset, body: body(offset), from: "test" };
    },
    { signal: new AbortController().signal },
  );
  assert.equal(asked, 100_000);
  assert.deepEqual(await readFile(path), bytes);
  assert.deepEqual(await readdir(cache.folders.ingest), []);
});
