import { open, readdir, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../../base/digest.ts";
import { asBangerError, errnoOf } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { runInSlices } from "../../base/slices.ts";
import type { LayerIndex } from "../layer-index.ts";
import { decodeIndex } from "./decode.ts";

const op = "read layer index";

/** Bytes of one read. */
const readBytes = 16 * 1024 * 1024;

/** What an index that is being written is called: `<hex>.<random>.tmp`. */
export const temporarySuffix = ".tmp";

/**
 * The index at `path`, if it is a right one of that blob and diffID. A defective one, or one of another version, is
 * removed: it is only a cache. Shares the event loop while it decodes.
 *
 * @returns undefined where there is none that may be used.
 * @throws BangerError CANCELLED, PERMISSION_DENIED or INTERNAL where the file can't be read or removed.
 */
export async function loadIndex(
  path: string,
  blobDigest: Digest,
  diffId: Digest,
  limits: Pick<Limits, "indexFileBytes">,
  signal: AbortSignal,
): Promise<LayerIndex | undefined> {
  try {
    const file = await readBounded(path, limits.indexFileBytes, signal);
    if (file === "absent") return undefined;
    const index =
      file === "too-large" ? undefined : await runInSlices(decodeIndex(file, { blobDigest, diffId }), signal);
    if (index === undefined) await rm(path, { force: true, recursive: true });
    return index;
  } catch (error) {
    throw asBangerError(error, op);
  }
}

async function readBounded(
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<Buffer | "absent" | "too-large"> {
  const handle = await open(path, "r").catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (handle === undefined) return "absent";
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size > limit) return "too-large";
    const file = Buffer.allocUnsafeSlow(stat.size);
    for (let at = 0; at < file.length;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(file, at, Math.min(readBytes, file.length - at), at);
      // It shrank under our hands: what is there is no index.
      if (bytesRead === 0) return file.subarray(0, at);
      at += bytesRead;
    }
    return file;
  } finally {
    await handle.close();
  }
}

/** Removes what scans that were killed left behind. Only while nobody scans. */
export async function sweepIndexes(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      if (name.endsWith(temporarySuffix)) await unlink(join(folder, name));
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw asBangerError(error, "sweep layer indexes");
  }
}
