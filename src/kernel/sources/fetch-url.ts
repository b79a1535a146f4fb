import { parseDigest } from "../../base/digest.ts";
import { WebFile } from "../../registry/web-file.ts";
import type { FetchedKernel, KernelFileNames } from "../kernel-source.ts";
import { openBundle } from "./bundle.ts";
import { cachedBlob, fetchBlob, type SourceDeps, type SourceJob } from "./fetch-blob.ts";

export interface PinnedUrl {
  readonly url: string;
  /** 64 hex digits. */
  readonly sha256: string;
  readonly size?: number;
}

/**
 * Brings the file of a URL into the cache, verified; nothing is asked where it is there. What breaks off is resumed.
 *
 * @returns its path there, read-only, good for as long as the caller has pinned the digest
 * @throws BangerError DIGEST_MISMATCH, SIZE_MISMATCH, SOURCE_UNKNOWN, and those of the transport
 */
export async function fetchUrl(deps: SourceDeps, file: PinnedUrl, job: SourceJob): Promise<string> {
  const { signal, onProgress } = job;
  const digest = parseDigest(`sha256:${file.sha256}`, "fetch kernel");
  const cached = await cachedBlob(deps.blobs, digest, signal);
  if (cached !== undefined) {
    onProgress({ doneBytes: cached.size, totalBytes: cached.size });
    return cached.path;
  }
  const { limits, clock, access } = deps;
  await using web = new WebFile(new URL(file.url), { ...access, limits, clock });
  const options = { signal, onRetry: () => {} };
  const descriptor = await web.describe(digest, file.size, options);
  const totalBytes = descriptor.size;
  const open = (offset: number, flight: AbortSignal) =>
    web.openBlob(descriptor, offset, { ...options, signal: flight });
  return await fetchBlob(deps, job, descriptor, open, (doneBytes) => onProgress({ doneBytes, totalBytes }));
}

/**
 * The kernel of a URL: a file alone, or a tar archive of its parts.
 *
 * @throws BangerError those of `fetchUrl`, KERNEL_SOURCE_INVALID, LIMIT_*
 */
export async function fetchUrlBundle(
  deps: SourceDeps,
  source: PinnedUrl & { readonly files?: KernelFileNames },
  job: SourceJob,
): Promise<FetchedKernel> {
  const { folder, signal, subject } = job;
  const digest = parseDigest(`sha256:${source.sha256}`, "fetch kernel");
  using _pin = deps.blobs.pins.pin([digest]);
  const path = await fetchUrl(deps, source, job);
  const inflate = { subject, signal, limits: deps.limits };
  return await openBundle({ path, digest }, { folder, files: source.files ?? {}, inflate });
}
