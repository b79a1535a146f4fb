import assert from "node:assert/strict";
import { open, type FileHandle } from "node:fs/promises";
import test from "node:test";
import { untilArrived, type ArrivingFile } from "../../src/base/arrival.ts";
import { digestOf } from "../../src/base/digest.ts";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import type { OpenBlob } from "../../src/blobs/download.ts";
import { recordingClock } from "../base/recording-clock.ts";
import { noise } from "../fakes/registry/images.ts";

const content = noise(600_000);
const layer = { mediaType: "test", digest: digestOf(content), size: content.length };
const signal = new AbortController().signal;

/** Answers one after the other: from where, the bytes, and whether the line goes dead after them. */
type Answer = { readonly offset: number; readonly bytes: Buffer; readonly breaks?: boolean };

function answering(answers: readonly Answer[], before: () => Promise<void> = async () => {}): OpenBlob {
  let asked = 0;
  return async () => {
    const { offset, bytes, breaks = false } = answers[asked++] ?? assert.fail("asked too often");
    async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
      yield bytes.subarray(0, 400_000);
      await before();
      yield bytes.subarray(400_000);
      if (breaks) throw new BangerError("REGISTRY_UNAVAILABLE", "the line went dead", { op: "test" });
    }
    return { offset, body: body(), from: "test" };
  };
}

async function withCache(check: (cache: BlobCache) => Promise<void>): Promise<void> {
  await using folder = await makeTempDir("banger-along-");
  await check(await BlobCache.open(folder.path, { clock: recordingClock() }));
}

async function readAt(handle: FileHandle, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  await handle.read(buffer, 0, bytes, 0);
  return buffer;
}

test("what arrived can be read while the rest is on its way, and whoever opened it reads the blob to its end", async () => {
  await withCache(async (cache) => {
    const told: ArrivingFile[] = [];
    let reader: FileHandle | undefined;
    const whole = answering([{ offset: 0, bytes: content }], async () => {
      while (told[0] === undefined) await new Promise(setImmediate);
      assert.equal(told[0].bytes, content.length);
      await untilArrived(told[0].arrival, 400_000);
      reader = await open(told[0].path, "r");
      assert.deepEqual(await readAt(reader, 400_000), content.subarray(0, 400_000));
    });
    await cache.fetch(layer, whole, { signal, onArriving: (file) => void told.push(file) });
    assert.equal(told.length, 1);
    assert.equal(told[0]?.signal.aborted, false);
    assert.ok(reader !== undefined);
    assert.deepEqual(await readAt(reader, content.length), content);
    await reader.close();
    await cache.fetch(layer, whole, { signal, onArriving: (file) => void told.push(file) });
    assert.equal(told.length, 1, "one that is here does not arrive");
  });
});

test("a download that goes on after a break is still the same; one that begins anew tells its readers", async () => {
  await withCache(async (cache) => {
    const told: ArrivingFile[] = [];
    const onArriving = (file: ArrivingFile): void => void told.push(file);
    const resumed = answering([
      { offset: 0, bytes: content.subarray(0, 500_000), breaks: true },
      { offset: 500_000, bytes: content.subarray(500_000) },
    ]);
    await cache.fetch(layer, resumed, { signal, onArriving });
    assert.deepEqual([told.length, told[0]?.signal.aborted], [1, false]);
  });
  await withCache(async (cache) => {
    const told: ArrivingFile[] = [];
    const onArriving = (file: ArrivingFile): void => void told.push(file);
    const anew = answering([
      { offset: 0, bytes: noise(500_000, 3), breaks: true },
      { offset: 0, bytes: content },
    ]);
    await cache.fetch(layer, anew, { signal, onArriving });
    assert.deepEqual([told.length, told[0]?.signal.aborted], [1, true]);
  });
});

test("the readers of bytes that turn out wrong are told", async () => {
  await withCache(async (cache) => {
    const told: ArrivingFile[] = [];
    const wrong = answering([{ offset: 0, bytes: noise(content.length, 2) }]);
    const work = cache.fetch(layer, wrong, { signal, onArriving: (file) => void told.push(file) });
    await assert.rejects(work, (error) => hasReason(error, "DIGEST_MISMATCH"));
    assert.deepEqual([told.length, told[0]?.signal.aborted], [1, true]);
  });
});

test("one of those who wait for the same blob is told, and what an earlier life left is there at once", async () => {
  await withCache(async (cache) => {
    const broken = answering([{ offset: 0, bytes: content.subarray(0, 500_000), breaks: true }]);
    const stop = new AbortController();
    const first = cache.fetch(layer, broken, { signal: stop.signal, onRetry: () => stop.abort() });
    await assert.rejects(first);
    const rest = answering([{ offset: 500_000, bytes: content.subarray(500_000) }]);
    const told: string[] = [];
    const waiters = ["a", "b"].map((name) =>
      cache.fetch(layer, rest, {
        signal,
        onArriving: ({ arrival }) => {
          told.push(name);
          assert.equal(new BigInt64Array(arrival)[0], 500_000n);
        },
      }),
    );
    await Promise.all(waiters);
    assert.deepEqual(told, ["a"]);
  });
});
