import { shortDigest, type Digest } from "../base/digest.ts";
import { BangerError, hasReason } from "../base/error.ts";
import type { BlobCache } from "../blobs/cache.ts";

export interface DecayedInput {
  readonly blobs: BlobCache;
  readonly digests: readonly Digest[];
  readonly signal: AbortSignal;
}

/**
 * Whose fault it is where a layer turns out to be broken or not as it was. A cached blob was verified when it came;
 * what its disk did to it since would fail every later pull, and the image's publisher would be blamed. So it is hashed
 * once more, and goes where it has decayed: the next pull fetches it anew.
 *
 * @returns The error to throw: DIGEST_MISMATCH where a blob has decayed, else the one that was given.
 */
export async function blameDecay(error: unknown, { blobs, digests, signal }: DecayedInput): Promise<unknown> {
  if (!hasReason(error, "LAYER_INVALID", "LAYER_UNSAFE", "DIFFID_MISMATCH", "VERIFY_FAILED")) return error;
  const decayed: Digest[] = [];
  for (const digest of new Set(digests)) {
    if (await blobs.removeDecayed(digest, signal)) decayed.push(digest);
  }
  if (decayed.length === 0) return error;
  const which = decayed.map(shortDigest).join(", ");
  const message = `the cache's copy of layer ${which} is not what was verified when it was downloaded; it is removed`;
  return new BangerError("DIGEST_MISMATCH", message, {
    op: "read cached layer",
    hint: "Pull again, which fetches it anew; if it happens twice, check the disk of the cache.",
    cause: error,
    facts: { layer: which },
  });
}
