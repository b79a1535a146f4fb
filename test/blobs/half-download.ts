import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/base/digest.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { noise } from "../fakes/registry/images.ts";

/** Run by crash.test.ts: downloads 100,000 bytes of a larger blob, says so, and waits to be killed. */
const bytes = noise(300_000);
const cache = await BlobCache.open(process.argv[2] ?? "");

function writtenBytes(): number {
  const sizes = readdirSync(cache.folders.ingest).map(
    (name) => statSync(join(cache.folders.ingest, name)).size,
  );
  return Math.max(0, ...sizes);
}

async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes.subarray(0, 100_000);
  // What is written is written behind what is received.
  while (writtenBytes() < 100_000) await new Promise((resolve) => setTimeout(resolve, 5));
  process.send?.("halfway");
  // A timer that is never reached keeps the process alive until it is killed.
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

await cache.fetch(
  { mediaType: "test", digest: digestOf(bytes), size: bytes.length },
  async () => ({ offset: 0, body: body(), from: "test" }),
  { signal: new AbortController().signal },
);
