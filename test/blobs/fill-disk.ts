import { readdir } from "node:fs/promises";
import { digestOf } from "../../src/base/digest.ts";
import { BangerError } from "../../src/base/error.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { noise } from "../fakes/registry/images.ts";

/** Run by disk-full.test.ts with a folder on a disk of 1 MiB: fetches a blob of 4 MiB into it, then a small one. */
const cache = await BlobCache.open(process.argv[2] ?? "");
const { signal } = new AbortController();

async function fetch(bytes: Buffer): Promise<BangerError | undefined> {
  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }
  try {
    const descriptor = { mediaType: "test", digest: digestOf(bytes), size: bytes.length };
    await cache.fetch(descriptor, async () => ({ offset: 0, body: body(), from: "test" }), { signal });
    return undefined;
  } catch (error) {
    if (error instanceof BangerError) return error;
    throw error;
  }
}

const failure = await fetch(noise(4 * 1024 * 1024));
const ingest = await readdir(cache.folders.ingest);
const smallFits = (await fetch(noise(600_000))) === undefined;
process.stdout.write(
  JSON.stringify({
    reason: failure?.reason,
    hint: failure?.hint.includes("point --cache-dir at"),
    ingest,
    smallFits,
  }),
);
