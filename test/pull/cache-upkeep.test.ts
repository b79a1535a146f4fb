import assert from "node:assert/strict";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { digestOf, type Digest } from "../../src/base/digest.ts";
import { BangerError } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { ingestName } from "../../src/blobs/layout.ts";
import { CacheUpkeep, type UpkeepDeps, type WaterMarks } from "../../src/pull/cache-upkeep.ts";

let dir: TempDir;
let count = 0;
before(async () => {
  dir = await makeTempDir("banger-upkeep-");
});
after(() => dir[Symbol.asyncDispose]());

const never = new AbortController().signal;
const day = 24 * 60 * 60_000;
const digest = (text: string): Digest => digestOf(Buffer.from(text));

interface World {
  readonly blobs: BlobCache;
  readonly marks: { highWater: number | undefined; lowWater: number | undefined };
  readonly said: string[];
  readonly upkeep: CacheUpkeep;
  readonly add: (text: string, ageMs: number) => Promise<void>;
  readonly part: (text: string, ageMs: number) => Promise<void>;
  readonly left: () => Promise<readonly string[]>;
}

async function world(referred: readonly string[], changes: Partial<UpkeepDeps> = {}): Promise<World> {
  const blobs = await BlobCache.open(join(dir.path, String(count++)));
  const marks: { -readonly [K in keyof WaterMarks]: WaterMarks[K] } = {
    highWater: undefined,
    lowWater: undefined,
  };
  const said: string[] = [];
  const texts = new Map<string, string>();
  const age = async (path: string, ageMs: number): Promise<void> => {
    const then = new Date(Date.now() - ageMs);
    await utimes(path, then, then);
  };
  return {
    blobs,
    marks,
    said,
    upkeep: new CacheUpkeep({
      blobs,
      store: { referredDigests: async () => new Set(referred.map(digest)) },
      marks: () => marks,
      onPruned: (why, { count: files, bytes }) => said.push(`${why} ${files} ${bytes}`),
      onError: (error) => said.push(error.message),
      ...changes,
    }),
    add: async (text, ageMs) => {
      const path = blobs.pathOf(digest(text));
      texts.set(path, text);
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, Buffer.alloc(100));
      await age(path, ageMs);
    },
    part: async (text, ageMs) => {
      const path = join(blobs.folders.ingest, ingestName(digest(text)));
      texts.set(path, text);
      await writeFile(path, Buffer.alloc(10));
      await age(path, ageMs);
    },
    left: async () => {
      const paths = await Promise.all(
        [...texts.keys()].map(async (path) => [path, await exists(path)] as const),
      );
      return paths.filter(([, here]) => here).map(([path]) => texts.get(path) ?? "");
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return (await readdir(join(path, ".."))).includes(path.slice(path.lastIndexOf("/") + 1));
}

describe("cache upkeep", () => {
  test("tells each kind's files, bytes, and what nobody needs", async () => {
    const { upkeep, add, part, blobs } = await world(["used"]);
    await add("used", 0);
    await add("unused", 0);
    await part("pinned", 0);
    using _pin = blobs.pins.pin([digest("pinned")]);
    assert.deepEqual(await upkeep.usage(never), [
      { kind: "blobs", count: 2, bytes: 200, unusedBytes: 100 },
      { kind: "indexes", count: 0, bytes: 0, unusedBytes: 0 },
      { kind: "ingest", count: 1, bytes: 10, unusedBytes: 0 },
    ]);
  });

  test("a dry run says what a wet one does", async () => {
    const { upkeep, add, left } = await world(["used"]);
    await add("used", 9 * day);
    await add("old", 8 * day);
    await add("new", 0);
    const request = { unusedForMs: 7 * day, keepBytes: 0, all: false, dryRun: true };
    assert.deepEqual(await upkeep.prune(request, never), { count: 1, bytes: 100 });
    assert.deepEqual(await left(), ["used", "old", "new"]);
    assert.deepEqual(await upkeep.prune({ ...request, dryRun: false }, never), { count: 1, bytes: 100 });
    assert.deepEqual(await left(), ["used", "new"]);
    await upkeep.prune({ unusedForMs: 0, keepBytes: 0, all: true, dryRun: false }, never);
    assert.deepEqual(await left(), []);
  });

  test("stale downloads go by themselves, and not those of a pull that is under way", async () => {
    const { upkeep, part, left, said, blobs } = await world([]);
    await part("stale", 8 * day);
    await part("waited for", 8 * day);
    await part("fresh", 6 * day);
    using _pin = blobs.pins.pin([digest("waited for")]);
    upkeep.tidy();
    await upkeep.idle();
    assert.deepEqual(await left(), ["waited for", "fresh"]);
    assert.deepEqual(said, ["stale downloads 1 10"]);
  });

  test("above the high mark it prunes to the low one: first what no image was made of, by age", async () => {
    const { upkeep, add, left, marks, said, blobs } = await world(["used old", "used new"]);
    await add("used old", 5 * day);
    await add("used new", 1 * day);
    await add("unused", 2 * day);
    await add("pinned", 9 * day);
    using _pin = blobs.pins.pin([digest("pinned")]);
    upkeep.tidy();
    await upkeep.idle();
    assert.equal((await left()).length, 4, "without a mark nothing goes");
    marks.highWater = 400;
    upkeep.tidy();
    await upkeep.idle();
    assert.equal((await left()).length, 4, "at the mark nothing goes");
    marks.highWater = 399;
    marks.lowWater = 250;
    upkeep.tidy();
    await upkeep.idle();
    assert.deepEqual((await left()).toSorted(), ["pinned", "used new"]);
    assert.deepEqual(said, ["high-water mark 2 200"]);
  });

  test("what goes wrong is told, and the next time it is tried again", async () => {
    let broken = true;
    const store = {
      referredDigests: async (): Promise<ReadonlySet<Digest>> => {
        if (broken) throw new BangerError("STORE_FAILED", "no store", { op: "test" });
        return new Set();
      },
    };
    const { upkeep, part, said, left } = await world([], { store });
    await part("stale", 8 * day);
    upkeep.tidy();
    await upkeep.idle();
    assert.deepEqual(said, ["no store"]);
    broken = false;
    upkeep.tidy();
    await upkeep.idle();
    assert.deepEqual(await left(), []);
    await upkeep[Symbol.asyncDispose]();
  });

  test("what a kill left half removed is swept", async () => {
    const { upkeep, blobs } = await world([]);
    await writeFile(join(blobs.folders.trash, "half"), "");
    await upkeep.sweep();
    assert.deepEqual(await readdir(blobs.folders.trash), []);
  });
});
