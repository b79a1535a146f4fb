/**
 * `node bench/download-child.ts REFERENCE CACHE`: resolves an image and brings its layers into a cache, several at a
 * time, as a pull does, and nothing else. Prints how many seconds that took, this process being up, as a daemon is.
 */
import { defaultLimits } from "../src/base/limits.ts";
import { BlobCache } from "../src/blobs/cache.ts";
import { parsePlatform } from "../src/oci/platform.ts";
import { TurnQueue } from "../src/pull/queue.ts";
import { openSource } from "../src/registry/open-source.ts";

const [reference = "", folder = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const options = { signal, onRetry: () => {} };
const begin = performance.now();
await using source = openSource(reference);
const cache = await BlobCache.open(folder);
const image = await source.resolve(parsePlatform("linux/amd64"), options);
const turns = new TurnQueue(defaultLimits.concurrentDownloads);
await Promise.all(
  image.manifest.layers.map(async (layer) => {
    using _turn = await turns.enter(signal);
    await cache.fetch(layer, (offset) => source.openBlob(layer, offset, options), options);
  }),
);
console.log((performance.now() - begin) / 1000);
