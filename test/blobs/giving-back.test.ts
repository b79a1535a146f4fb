import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { embeddedBlob } from "../../src/registry/blob-stream.ts";
import { noise } from "../fakes/registry/images.ts";

const signal = new AbortController().signal;
const content = noise(300_000);
const layer = { mediaType: "test", digest: digestOf(content), size: content.length };

test("a piece that fills its buffer is freed once it is written; what others may share is left alone", async () => {
  await using folder = await makeTempDir("banger-giving-back-");
  const cache = await BlobCache.open(folder.path);
  const whole = new Uint8Array(content.subarray(0, 200_000));
  const around = new Uint8Array([...content.subarray(200_000), 7]);
  const part = around.subarray(0, 100_000);
  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    yield whole;
    yield part;
  }
  const { path } = await cache.fetch(layer, async () => ({ offset: 0, body: body(), from: "test" }), {
    signal,
  });
  assert.deepEqual(await readFile(path), content);
  assert.equal(whole.byteLength, 0, "freed");
  assert.deepEqual(part, new Uint8Array(content.subarray(200_000)));
});

test("content that came inside a manifest is still there when it was read", async () => {
  await using folder = await makeTempDir("banger-giving-back-");
  const cache = await BlobCache.open(folder.path);
  const data = new Uint8Array(content);
  const { path } = await cache.fetch(layer, async (offset) => embeddedBlob(data, offset), { signal });
  assert.deepEqual(await readFile(path), content);
  assert.deepEqual(data, new Uint8Array(content));
});
