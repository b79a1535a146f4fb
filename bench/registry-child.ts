import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defaultLimits } from "../src/base/limits.ts";
import { BlobCache } from "../src/blobs/cache.ts";
import { LayerScanner, makeEarlyScanPool, makeScanPool } from "../src/layers/scan.ts";
import { parsePlatform } from "../src/oci/platform.ts";
import { bringLayersIn } from "../src/pull/layers-in.ts";
import { TurnQueue } from "../src/pull/queue.ts";
import { StageClock } from "../src/pull/stage-clock.ts";
import { openSource } from "../src/registry/open-source.ts";
import { median } from "./median.ts";

/**
 * `registry-child.ts REFERENCE WORK`: brings an image's layers in from a registry, as a pull does up to its last
 * `layerScanned`, with nothing cached (`both`), and does the same in two steps: all downloads (`fetch`), then all scans
 * (`scan`). Prints what each took, in seconds: medians of several laps, after one that fills the registry's page cache
 * and has the code compiled, as it is in a daemon that runs; else whichever of the three came first would pay for it.
 */
const [reference = "", work = ""] = process.argv.slice(2);
const laps = 5;
const { signal } = new AbortController();
const limits = defaultLimits;
await using source = openSource(reference);
const options = { signal, onRetry: () => {} };
const image = await source.resolve(parsePlatform("linux/amd64"), options);

async function timed(action: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await action();
  return (performance.now() - begin) / 1000;
}

async function fetchAll(cache: BlobCache): Promise<void> {
  const turns = new TurnQueue(limits.concurrentDownloads);
  await Promise.all(
    image.manifest.layers.map(async (layer) => {
      using _turn = await turns.enter(signal);
      await cache.fetch(layer, (offset) => source.openBlob(layer, offset, options), options);
    }),
  );
}

/** What is in the cache already is not fetched: the scans are all that is left to do. */
async function bringIn(cache: BlobCache): Promise<void> {
  await using pool = makeScanPool();
  await using earlyPool = makeEarlyScanPool();
  const scanner = new LayerScanner({ pool, earlyPool, indexFolder: emptyFolder("indexes"), limits });
  const clock = new StageClock();
  await bringLayersIn({ source, image, blobs: cache, scanner, limits, clock, signal, emit: () => {} });
}

function emptyFolder(name: string): string {
  const path = join(work, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

interface Lap {
  readonly both: number;
  readonly fetch: number;
  readonly scan: number;
}

/** All three right after one another: what slows the machine down for a minute spares none of them. */
async function lap(): Promise<Lap> {
  const together = await BlobCache.open(emptyFolder("blobs"));
  const both = await timed(() => bringIn(together));
  const apart = await BlobCache.open(emptyFolder("blobs"));
  return { both, fetch: await timed(() => fetchAll(apart)), scan: await timed(() => bringIn(apart)) };
}

await lap();
const counted: Lap[] = [];
for (let at = 0; at < laps; at++) counted.push(await lap());
const [both, fetch, scan] = (["both", "fetch", "scan"] as const).map((part) =>
  median(counted.map((times) => times[part])),
);
process.stdout.write(JSON.stringify({ fetch, scan, both }));
