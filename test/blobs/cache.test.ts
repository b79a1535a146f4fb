import assert from "node:assert/strict";
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { BangerError, hasReason, type Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import type { OpenBlob } from "../../src/blobs/download.ts";
import { ingestName } from "../../src/blobs/layout.ts";
import { processOwner } from "../../src/blobs/owner.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import type { RetryNotice } from "../../src/oci/image-source.ts";
import { recordingClock, type RecordingClock } from "../base/recording-clock.ts";
import { noise } from "../fakes/registry/images.ts";

const content = noise(200_000);
const layer = describe(content);
const signal = new AbortController().signal;
/** Little enough that a few thousand bytes count as headway. */
const limits = { ...defaultLimits, minBytesPerSecond: 1000, slowWindowMs: 1000 };

function describe(bytes: Buffer): Descriptor {
  return { mediaType: "test", digest: digestOf(bytes), size: bytes.length };
}

function interrupted(): BangerError {
  return new BangerError("REGISTRY_UNAVAILABLE", "the line went dead", { op: "test" });
}

interface Source {
  readonly open: OpenBlob;
  /** Offsets that were asked for. */
  readonly offsets: number[];
  /** Bodies being read now. */
  readonly live: () => number;
}

interface SourceShape {
  readonly bytes?: Buffer;
  /** Bytes of each answer before it breaks off; answers beyond the list are whole. */
  readonly cuts?: readonly number[];
  /** Where answers start, whatever was asked for. */
  readonly offset?: number;
  readonly piece?: number;
  /** Waited for before each piece. */
  readonly gate?: () => Promise<void>;
}

function source(shape: SourceShape = {}): Source {
  const { bytes = content, cuts = [], piece = 10_000, gate = async () => {} } = shape;
  const offsets: number[] = [];
  let live = 0;
  async function* body(start: number, cut: number | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    live++;
    try {
      const end = cut === undefined ? bytes.length : Math.min(bytes.length, start + cut);
      for (let at = start; at < end; at += piece) {
        await gate();
        yield bytes.subarray(at, Math.min(end, at + piece));
      }
      if (cut !== undefined) throw interrupted();
    } finally {
      live--;
    }
  }
  const open: OpenBlob = async (asked) => {
    const cut = cuts[offsets.length];
    offsets.push(asked);
    const start = shape.offset ?? asked;
    return { offset: start, body: body(start, cut), from: "test" };
  };
  return { open, offsets, live: () => live };
}

interface Rig {
  readonly cache: BlobCache;
  readonly clock: RecordingClock;
  readonly folder: string;
  readonly ingest: () => Promise<readonly string[]>;
}

async function withCache(check: (rig: Rig) => Promise<void>): Promise<void> {
  await using folder = await makeTempDir("banger-cache-");
  const clock = recordingClock();
  const cache = await BlobCache.open(folder.path, { limits, clock });
  const ingest = (): Promise<readonly string[]> => readdir(cache.folders.ingest);
  await check({ cache, clock, folder: folder.path, ingest });
}

async function fails(promise: Promise<unknown>, reason: Reason): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(hasReason(error, reason), `${reason} expected: ${String(error)}`);
    return true;
  });
}

test("H14 a blob is published whole, durable and read-only, and then found", async () => {
  await withCache(async ({ cache, ingest }) => {
    assert.equal(cache.has(layer), false);
    const progress: number[] = [];
    const first = source();
    const fetched = await cache.fetch(layer, first.open, {
      signal,
      onProgress: (done) => progress.push(done),
    });
    assert.deepEqual(fetched, {
      path: cache.pathOf(layer.digest),
      cached: false,
      from: "test",
      receivedBytes: content.length,
      sparedBytes: 0,
    });
    assert.deepEqual(await readFile(fetched.path), content);
    assert.equal((await stat(fetched.path)).mode & 0o777, 0o444);
    assert.equal(progress.at(-1), content.length);
    assert.deepEqual(await ingest(), []);
    assert.equal(cache.has(layer), true);
    const second = source();
    const again = await cache.fetch(layer, second.open, { signal });
    assert.deepEqual([again.cached, again.from, second.offsets], [true, "cache", []]);
    assert.deepEqual([again.receivedBytes, again.sparedBytes], [0, 0]);
  });
});

test("H14 wrong bytes of the right length leave nothing behind", async () => {
  await withCache(async ({ cache, ingest }) => {
    const wrong = source({ bytes: noise(content.length, 2) });
    await assert.rejects(cache.fetch(layer, wrong.open, { signal }), (error) => {
      assert.ok(hasReason(error, "DIGEST_MISMATCH"));
      const hint = "Pull again; if it stays, what test has is damaged, and must be pushed or written anew.";
      assert.equal(error.hint, hint);
      return true;
    });
    assert.deepEqual(wrong.offsets, [0]);
    assert.deepEqual(await ingest(), []);
    assert.equal(cache.has(layer), false);
    assert.equal(wrong.live(), 0);
  });
});

test("H14 too many bytes are not written, and too few are no blob", async () => {
  await withCache(async ({ cache, ingest }) => {
    const long = source({ bytes: Buffer.concat([content, content, content]) });
    let written = 0;
    const onProgress = (done: number): void => void (written = done);
    await fails(cache.fetch(layer, long.open, { signal, onProgress }), "SIZE_MISMATCH");
    assert.equal(written, content.length, "it stopped at the size");
    const short = source({ bytes: content.subarray(0, -1) });
    await fails(cache.fetch(layer, short.open, { signal }), "SIZE_MISMATCH");
    assert.deepEqual(await ingest(), []);
    assert.deepEqual([long.live(), short.live()], [0, 0]);
  });
});

test("an empty blob is a blob", async () => {
  await withCache(async ({ cache }) => {
    const empty = describe(Buffer.alloc(0));
    await cache.fetch(empty, source({ bytes: Buffer.alloc(0) }).open, { signal });
    assert.equal(cache.has(empty), true);
  });
});

test("a sha512 blob has a place of its own", async () => {
  await withCache(async ({ cache }) => {
    const descriptor = { ...layer, digest: digestOf(content, "sha512") };
    const { path } = await cache.fetch(descriptor, source().open, { signal });
    assert.match(path, /blobs\/sha512\/[0-9a-f]{128}$/);
  });
});

test("a broken body is resumed where it broke, and the pause is reported", async () => {
  await withCache(async ({ cache, clock }) => {
    const broken = source({ cuts: [50_000, 70_000] });
    const notices: RetryNotice[] = [];
    const onRetry = (notice: RetryNotice): void => void notices.push(notice);
    const { receivedBytes, sparedBytes } = await cache.fetch(layer, broken.open, { signal, onRetry });
    assert.deepEqual(broken.offsets, [0, 50_000, 120_000]);
    assert.deepEqual([receivedBytes, sparedBytes], [content.length, 170_000]);
    assert.equal(notices.length, 2);
    assert.equal(notices[0]?.why, "the line went dead");
    assert.deepEqual(
      clock.pauses,
      notices.map(({ delayMs }) => delayMs),
    );
  });
});

test("headway keeps a download alive, and standing still ends it", async () => {
  await withCache(async ({ cache, ingest }) => {
    const slow = source({ cuts: Array.from({ length: 40 }, () => 5000), piece: 1000 });
    await cache.fetch(layer, slow.open, { signal });
    assert.equal(slow.offsets.length, 40);
    const other = noise(200_000, 7);
    const stuck = source({ bytes: other, cuts: [30_000, ...Array.from({ length: 40 }, () => 10)] });
    await fails(cache.fetch(describe(other), stuck.open, { signal }), "REGISTRY_UNAVAILABLE");
    assert.deepEqual(stuck.offsets, [0, 30_000, 30_010, 30_020, 30_030]);
    assert.deepEqual(await ingest(), [ingestName(describe(other).digest)], "its bytes are kept");
  });
});

test("what can't be opened is not tried again here", async () => {
  await withCache(async ({ cache, clock }) => {
    const open: OpenBlob = () => Promise.reject(interrupted());
    await fails(cache.fetch(layer, open, { signal }), "REGISTRY_UNAVAILABLE");
    assert.deepEqual(clock.pauses, []);
  });
});

test("a source that starts anew, or somewhere else, corrupts nothing", async () => {
  await withCache(async ({ cache }) => {
    const anew = source({ offset: 0, cuts: [50_000] });
    await cache.fetch(layer, anew.open, { signal });
    assert.deepEqual(anew.offsets, [0, 50_000]);
  });
  await withCache(async ({ cache }) => {
    await fails(cache.fetch(layer, source({ offset: 3 }).open, { signal }), "REGISTRY_UNAVAILABLE");
    assert.equal(cache.has(layer), false);
  });
});

test("kept bytes that turn out wrong are fetched once more in one piece", async () => {
  await withCache(async ({ cache, ingest }) => {
    const leftover = join(cache.folders.ingest, ingestName(layer.digest));
    await writeFile(leftover, noise(60_000, 5));
    const good = source();
    await cache.fetch(layer, good.open, { signal });
    assert.deepEqual(good.offsets, [60_000, 0]);
    assert.deepEqual(await readFile(cache.pathOf(layer.digest)), content);
    const other = describe(noise(100_000, 6));
    await writeFile(join(cache.folders.ingest, ingestName(other.digest)), noise(60_000, 5));
    const bad = source({ bytes: noise(100_000, 8) });
    await fails(cache.fetch(other, bad.open, { signal }), "DIGEST_MISMATCH");
    assert.deepEqual(bad.offsets, [60_000, 0]);
    assert.deepEqual(await ingest(), []);
  });
});

for (const [name, kept, asked] of [
  ["the rest", content.subarray(0, 60_000), [60_000]],
  ["nothing, where all of it was there", content, []],
  ["all, where more was there than the blob has", Buffer.concat([content, content]), [0]],
] as const) {
  test(`after a crash, a download goes on and asks for ${name}`, async () => {
    await withCache(async ({ cache, ingest }) => {
      // A pid that is not running: Linux gives out none above 2^22.
      const dead = processOwner().replace(/-\d+-/, "-99999999-");
      await writeFile(join(cache.folders.ingest, `${ingestName(layer.digest)}.${dead}-1`), kept);
      const rest = source();
      await cache.fetch(layer, rest.open, { signal });
      assert.deepEqual(rest.offsets, asked);
      assert.deepEqual(await readFile(cache.pathOf(layer.digest)), content);
      assert.deepEqual(await ingest(), []);
    });
  });
}

test("the file of a process that lives is left alone, of another PID namespace until it is a day old", async () => {
  await withCache(async ({ cache, ingest }) => {
    const foreign = processOwner().replace(/^\d+/, "1");
    const names = [processOwner(), foreign].map((owner) => `${ingestName(layer.digest)}.${owner}-77`);
    for (const name of names) await writeFile(join(cache.folders.ingest, name), noise(60_000));
    const mine = source();
    await cache.fetch(layer, mine.open, { signal });
    assert.deepEqual(mine.offsets, [0]);
    assert.deepEqual([...(await ingest())].sort(), names.sort());
  });
});

test("two caches over one folder don't disturb each other", async () => {
  await withCache(async ({ cache, folder, ingest }) => {
    const other = await BlobCache.open(folder, { limits });
    const both = [source({ piece: 1000 }), source({ piece: 1000 })];
    const fetches = [cache, other].map((one, at) =>
      one.fetch(layer, both[at]?.open ?? assert.fail(), { signal }),
    );
    for (const { path } of await Promise.all(fetches)) assert.deepEqual(await readFile(path), content);
    assert.deepEqual(await ingest(), []);
  });
});

test("callers of one blob share a download", async () => {
  await withCache(async ({ cache }) => {
    const shared = source();
    const progress = [0, 0, 0];
    const fetches = progress.map((_, at) => {
      const onProgress = (done: number): void => void (progress[at] = done);
      return cache.fetch(layer, shared.open, { signal, onProgress });
    });
    await Promise.all(fetches);
    assert.deepEqual(shared.offsets, [0]);
    assert.deepEqual(progress, [content.length, content.length, content.length]);
  });
});

test("one caller's cancel leaves the others their download, and its source may go", async () => {
  await withCache(async ({ cache }) => {
    const cancel = new AbortController();
    // The first caller's source dies with it, as a disposed one does.
    const first = source({
      gate: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        if (cancel.signal.aborted) throw new TypeError("disposed");
      },
    });
    const second = source();
    let seen = 0;
    const cancelled = cache.fetch(layer, first.open, {
      signal: cancel.signal,
      onProgress: (done) => {
        seen = done;
        if (done >= 50_000) cancel.abort();
      },
    });
    const kept = cache.fetch(layer, second.open, { signal });
    await fails(cancelled, "CANCELLED");
    assert.deepEqual(await readFile((await kept).path), content);
    assert.deepEqual(first.offsets, [0]);
    assert.deepEqual(second.offsets, [seen], "it went on where the first got to");
  });
});

test("the last caller's cancel stops the download, keeps its bytes and leaves nothing open", async () => {
  await withCache(async ({ cache, ingest }) => {
    const cancel = new AbortController();
    const stopped = source();
    const onProgress = (done: number): void => {
      if (done >= 50_000) cancel.abort();
    };
    await fails(cache.fetch(layer, stopped.open, { signal: cancel.signal, onProgress }), "CANCELLED");
    assert.equal(stopped.live(), 0);
    assert.deepEqual(await ingest(), [ingestName(layer.digest)]);
    const open = (await readdir("/proc/self/fd")).length;
    const resumed = source();
    await cache.fetch(layer, resumed.open, { signal });
    assert.ok((resumed.offsets[0] ?? 0) >= 50_000, String(resumed.offsets));
    assert.equal((await readdir("/proc/self/fd")).length, open);
  });
});

test("a caller that comes while the last one leaves gets a download of its own", async () => {
  await withCache(async ({ cache }) => {
    const cancel = new AbortController();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const slow = source({
      gate: async () => {
        begin();
        await sleep(5);
      },
    });
    const first = cache.fetch(layer, slow.open, { signal: cancel.signal });
    await begun;
    cancel.abort();
    await Promise.resolve();
    const second = cache.fetch(layer, source().open, { signal });
    await fails(first, "CANCELLED");
    assert.deepEqual(await readFile((await second).path), content);
  });
});

test("an existing blob of the wrong size, or that is no file, is not trusted", async () => {
  await withCache(async ({ cache, folder }) => {
    const path = cache.pathOf(layer.digest);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content.subarray(1));
    await chmod(path, 0o444);
    assert.equal(cache.has(layer), false);
    assert.equal((await cache.fetch(layer, source().open, { signal })).cached, false);
    assert.deepEqual(await readFile(path), content);
    const other = describe(noise(10));
    await writeFile(join(folder, "elsewhere"), noise(10));
    await symlink(join(folder, "elsewhere"), cache.pathOf(other.digest));
    assert.equal(cache.has(other), false);
  });
});

test("descriptors that disagree on the size don't share a download", async () => {
  await withCache(async ({ cache }) => {
    const wrong = cache.fetch({ ...layer, size: layer.size - 1 }, source().open, { signal });
    const right = cache.fetch(layer, source().open, { signal });
    await Promise.all([fails(wrong, "SIZE_MISMATCH"), right]);
    assert.equal(cache.has(layer), true);
  });
});

test("a cancelled signal fetches nothing", async () => {
  await withCache(async ({ cache, ingest }) => {
    const unused = source();
    await fails(cache.fetch(layer, unused.open, { signal: AbortSignal.abort() }), "CANCELLED");
    assert.deepEqual([unused.offsets, await ingest()], [[], []]);
  });
});

test("a blob that its disk has changed is removed, one that is whole is not", async () => {
  await using folder = await makeTempDir("banger-cache-");
  const cache = await BlobCache.open(folder.path, { limits });
  const path = cache.pathOf(layer.digest);
  assert.equal(await cache.removeDecayed(layer.digest, signal), false);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  assert.equal(await cache.removeDecayed(layer.digest, signal), false);
  assert.ok(cache.has(layer));
  await writeFile(path, Buffer.from(content).fill(content.readUInt8(1000) ^ 1, 1000, 1001));
  assert.equal(await cache.removeDecayed(layer.digest, signal), true);
  assert.ok(!cache.has(layer));
});
