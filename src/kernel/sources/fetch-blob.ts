import { stat } from "node:fs/promises";
import type { Digest } from "../../base/digest.ts";
import { BangerError, errnoOf, hasReason } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import type { Clock } from "../../base/retry.ts";
import type { BlobCache } from "../../blobs/cache.ts";
import type { OpenBlob } from "../../blobs/download.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { OpenSourceOptions } from "../../registry/open-source.ts";
import type { SignaturePolicy } from "../../signature/policy.ts";
import { tooLargeHint } from "../kernel-errors.ts";
import type { KernelProgress } from "../kernel-source.ts";

/** What every source of kernels needs. */
export interface SourceDeps {
  readonly blobs: BlobCache;
  readonly limits: Limits;
  readonly clock: Clock;
  /** How registries and web servers are reached. */
  readonly access: Omit<OpenSourceOptions, "limits" | "clock" | "credentials">;
  /** Whose signatures artifacts must have, as the config says at this moment; nobody's where undefined. */
  readonly signaturePolicies?: (() => readonly SignaturePolicy[]) | undefined;
}

/** One kernel to bring into a folder. */
export interface SourceJob {
  /** Empty, the caller's, on the store's file system. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: KernelProgress) => void;
  /** Where from, as a person would write it. */
  readonly subject: string;
}

const op = "fetch kernel";

/**
 * Brings a blob into the cache, verified.
 *
 * @throws BangerError DIGEST_MISMATCH, SIZE_MISMATCH, which name the source; LIMIT_DOCUMENT_SIZE; those of
 *   `BlobCache.fetch`
 */
export async function fetchBlob(
  deps: SourceDeps,
  job: Pick<SourceJob, "signal" | "subject">,
  descriptor: Descriptor,
  open: OpenBlob,
  onProgress: (doneBytes: number) => void,
): Promise<string> {
  const { subject, signal } = job;
  const { size, digest } = descriptor;
  if (size > deps.limits.kernelBytes) throw tooLargeToFetch(subject, size, deps.limits.kernelBytes);
  try {
    const { path } = await deps.blobs.fetch(descriptor, open, { signal, onProgress });
    onProgress(size);
    return path;
  } catch (error) {
    throw hasReason(error, "DIGEST_MISMATCH", "SIZE_MISMATCH") ? named(error, subject, digest) : error;
  }
}

/** The blob where it is here already, whatever its size; hashed once more, as nothing else vouches for it. */
export async function cachedBlob(
  blobs: BlobCache,
  digest: Digest,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly size: number } | undefined> {
  const path = blobs.pathOf(digest);
  try {
    if (await blobs.removeDecayed(digest, signal)) return undefined;
    return { path, size: (await stat(path)).size };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The error of a source whose content is another than it should be. */
export function digestMismatch(
  subject: string,
  expected: string,
  actual: string,
  cause?: unknown,
): BangerError {
  return new BangerError(
    "DIGEST_MISMATCH",
    `${subject} has the content of ${actual}, and should have that of ${expected}`,
    {
      op,
      cause,
      facts: { source: subject, expected, actual },
      hint: "Compare the digest with its publisher's; don't use the file before you know which of them is wrong.",
    },
  );
}

function named(error: BangerError, subject: string, digest: Digest): BangerError {
  const { actual } = error.facts;
  if (error.reason === "DIGEST_MISMATCH" && actual !== undefined) {
    return digestMismatch(subject, digest, actual, error);
  }
  const facts = { source: subject, expected: digest };
  return new BangerError(error.reason, `${subject}: ${error.message}`, { op, cause: error, facts });
}

export function tooLargeToFetch(subject: string, size: number, limit: number): BangerError {
  return new BangerError("LIMIT_DOCUMENT_SIZE", `${subject} has ${size} bytes; the limit is ${limit}`, {
    op,
    hint: tooLargeHint,
    facts: { source: subject },
  });
}
