import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { algorithmOf, digestOf, hexOf, type Digest } from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { listCache, parseName, type CacheFile } from "../../src/blobs/inventory.ts";
import { digestPath, ingestName } from "../../src/blobs/layout.ts";
import { processOwner } from "../../src/blobs/owner.ts";
import { CachePins } from "../../src/blobs/pins.ts";
import { choosePrune, isUnused, removeFiles, type PruneRules } from "../../src/blobs/prune.ts";

let dir: TempDir;
before(async () => {
  dir = await makeTempDir("banger-prune-");
});
after(() => dir[Symbol.asyncDispose]());

const never = new AbortController().signal;
const digest = (text: string): Digest => digestOf(Buffer.from(text));

function file(name: string, changes: Partial<CacheFile> = {}): CacheFile {
  return {
    kind: "blobs",
    digest: digest(name),
    path: `/nowhere/${name}`,
    bytes: 100,
    usedAt: 1000,
    isBusy: false,
    ...changes,
  };
}

const everything: PruneRules = { usedBefore: Infinity, keepBytes: 0, all: false };
const needs = (pinned: readonly string[], referred: readonly string[]) => {
  const [pins, refers] = [pinned, referred].map((names) => new Set(names.map(digest)));
  return {
    isPinned: (one: Digest) => pins?.has(one) === true,
    isReferred: (one: Digest) => refers?.has(one) === true,
  };
};
const names = (files: readonly CacheFile[]): string[] => files.map(({ path }) => path.slice(9));

describe("what goes", () => {
  const files = [
    file("old", { usedAt: 1 }),
    file("used", { usedAt: 2 }),
    file("pinned", { usedAt: 3 }),
    file("busy", { usedAt: 4, isBusy: true }),
    file("new", { usedAt: 5 }),
  ];
  const world = needs(["pinned"], ["used"]);
  const cases: readonly (readonly [string, Partial<PruneRules>, readonly string[]])[] = [
    ["what nobody needs, what was used longest ago first", {}, ["old", "new"]],
    ["only what is old", { usedBefore: 5 }, ["old"]],
    ["what images were made of as well, and last", { all: true }, ["old", "new", "used"]],
    ["until it is small enough", { all: true, keepBytes: 350 }, ["old", "new"]],
    ["nothing where it is small already", { all: true, keepBytes: 500 }, []],
    [
      "never what is pinned or busy, however small it should be",
      { all: true, keepBytes: 1 },
      ["old", "new", "used"],
    ],
    ["both rules at once", { usedBefore: 2, keepBytes: 1, all: true }, ["old"]],
  ];
  for (const [name, rules, expected] of cases) {
    test(name, () => {
      assert.deepEqual(names(choosePrune(files, { ...everything, ...rules }, world)), expected);
    });
  }

  test("unused is what no image refers to and no pull is at", () => {
    assert.deepEqual(names(files.filter((one) => isUnused(one, world))), ["old", "new"]);
  });
});

describe("names", () => {
  const hex = hexOf(digest("x"));
  test("are known with what follows them", () => {
    assert.deepEqual(parseName("blobs", `sha256-${hex}`), { kind: "blobs", digest: digest("x"), suffix: "" });
    assert.equal(parseName("ingest", `sha256-${hex}.12-34-56-1`)?.suffix, "12-34-56-1");
    assert.equal(parseName("indexes", `sha256-${hex}.0a.tmp`)?.suffix, "0a.tmp");
    for (const other of [
      "",
      "x",
      `sha256-${hex}0`,
      `md5-${hex}`,
      `sha256-${hex.toUpperCase()}`,
      `sha256-../${hex}`,
    ]) {
      assert.equal(parseName("blobs", other), undefined, other);
    }
    assert.equal(parseName("blobs", `sha256-${hex}.1`), undefined);
  });
});

describe("pins", () => {
  test("add up, and each is given back once", () => {
    const pins = new CachePins();
    const [a, b] = [digest("a"), digest("b")];
    const first = pins.pin([a, a, b]);
    const second = pins.pin([a]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    assert.deepEqual([pins.has(a), pins.has(b)], [true, false]);
    second[Symbol.dispose]();
    assert.equal(pins.has(a), false);
  });
});

async function cacheWith(name: string, blobs: readonly string[]): Promise<BlobCache> {
  const cache = await BlobCache.open(join(dir.path, name));
  for (const text of blobs) {
    const path = cache.pathOf(digest(text));
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
  }
  return cache;
}

describe("a cache", () => {
  test("is listed by kind, with what strangers put there left out", async () => {
    const cache = await cacheWith("listed", ["one", "three"]);
    const { folders } = cache;
    const index = digestPath(folders.indexes, digest("one"));
    await mkdir(join(index, ".."), { recursive: true });
    await writeFile(index, "index");
    await writeFile(`${index}.0123456789ab.tmp`, "half");
    await writeFile(join(folders.ingest, ingestName(digest("part"))), "pa");
    await writeFile(join(folders.ingest, `${ingestName(digest("mine"))}.${processOwner()}-1`), "m");
    await writeFile(join(folders.ingest, `${ingestName(digest("dead"))}.1-2-3-4`), "d");
    await writeFile(join(folders.ingest, "notes.txt"), "");
    await mkdir(join(folders.blobs, "sha256", hexOf(digest("folder"))));
    const files = await listCache(folders, never);
    const seen = files.map(
      ({ kind, digest: one, bytes, isBusy }) => `${kind} ${hexOf(one).slice(0, 4)} ${bytes} ${isBusy}`,
    );
    const short = (text: string): string => hexOf(digest(text)).slice(0, 4);
    assert.deepEqual(
      seen.sort(),
      [
        `blobs ${short("one")} 3 false`,
        `blobs ${short("three")} 5 false`,
        `indexes ${short("one")} 5 false`,
        `indexes ${short("one")} 4 true`,
        `ingest ${short("part")} 2 false`,
        `ingest ${short("mine")} 1 true`,
        // Of another PID namespace: its age decides, and it is new.
        `ingest ${short("dead")} 1 true`,
      ].sort(),
    );
  });

  test("what is pinned between the choice and the removal stays, and a reader reads on", async () => {
    const cache = await cacheWith("removed", ["kept", "gone", "absent"]);
    const files = await listCache(cache.folders, never);
    using _pin = cache.pins.pin([digest("kept")]);
    const gone = cache.pathOf(digest("gone"));
    const { open, rm } = await import("node:fs/promises");
    await rm(cache.pathOf(digest("absent")));
    await using reader = await open(gone);
    const pruned = await removeFiles(files, cache.pins, cache.folders.trash, never);
    assert.deepEqual(pruned, { count: 1, bytes: 4 });
    assert.equal(await readFile(cache.pathOf(digest("kept")), "utf8"), "kept");
    assert.equal(existsSync(gone), false);
    assert.equal(await reader.readFile("utf8"), "gone");
    assert.deepEqual(readdirSync(cache.folders.trash), []);
  });

  test("pruning and pulling at once, no pull that found its blob loses it", async () => {
    const texts = Array.from({ length: 40 }, (_, at) => `blob ${at}`);
    const cache = await cacheWith("race", texts);
    const files = await listCache(cache.folders, never);
    const pull = async (text: string): Promise<void> => {
      using _pin = cache.pins.pin([digest(text)]);
      const here = cache.has({ digest: digest(text), size: text.length });
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      if (here) assert.equal(await readFile(cache.pathOf(digest(text)), "utf8"), text);
    };
    const pulls: Promise<void>[] = [];
    const start = async (): Promise<void> => {
      for (const text of texts) {
        pulls.push(pull(text));
        await new Promise(setImmediate);
      }
    };
    const [pruned] = await Promise.all([removeFiles(files, cache.pins, cache.folders.trash, never), start()]);
    await Promise.all(pulls);
    assert.ok(pruned.count > 0);
  });

  test("a cancel ends the pruning", async () => {
    const cache = await cacheWith("cancelled", ["a"]);
    const files = await listCache(cache.folders, never);
    const controller = new AbortController();
    controller.abort();
    await assert.rejects(removeFiles(files, cache.pins, cache.folders.trash, controller.signal), (error) =>
      hasReason(error, "CANCELLED"),
    );
    assert.equal(cache.has({ digest: digest("a"), size: 1 }), true);
  });

  test("a blob that is fetched from the cache was used now, and so was its index", async () => {
    const cache = await cacheWith("touched", ["text"]);
    const one = digest("text");
    const index = join(cache.folders.indexes, algorithmOf(one), hexOf(one));
    await mkdir(join(index, ".."), { recursive: true });
    await writeFile(index, "index");
    const long = new Date(1_600_000_000_000);
    for (const path of [cache.pathOf(one), index]) await utimes(path, long, long);
    const descriptor = { digest: one, size: 4, mediaType: "x" };
    const fetched = await cache.fetch(descriptor, () => Promise.reject(new Error("it is here")), {
      signal: never,
    });
    assert.equal(fetched.cached, true);
    for (const path of [cache.pathOf(one), index]) {
      assert.ok((await stat(path)).mtimeMs > Date.now() - 60_000);
    }
  });
});
