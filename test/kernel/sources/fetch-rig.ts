import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { globSync } from "node:fs";
import { makeTempDir } from "../../../src/base/files.ts";
import { defaultLimits, type Limits } from "../../../src/base/limits.ts";
import { BlobCache } from "../../../src/blobs/cache.ts";
import { kernelCatalog } from "../../../src/kernel/catalog.ts";
import type { FetchedKernel, KernelProgress, KernelSource } from "../../../src/kernel/kernel-source.ts";
import type { SignaturePolicy } from "../../../src/signature/policy.ts";
import { recordingClock } from "../../base/recording-clock.ts";

/** Sources against a cache and a folder of their own. */
export interface FetchRig extends AsyncDisposable {
  readonly cacheDir: string;
  readonly folder: string;
  readonly progress: KernelProgress[];
  /** Into a new folder each time. */
  fetch(source: KernelSource, options?: FetchOptions): Promise<FetchedKernel>;
  /** Downloads that were broken off, and blobs that are whole. */
  cached(): { readonly partial: number; readonly whole: number };
}

export interface FetchOptions {
  readonly signal?: AbortSignal;
  readonly architecture?: string;
}

export async function makeFetchRig(
  limits: Partial<Limits> = {},
  policies: readonly SignaturePolicy[] = [],
): Promise<FetchRig> {
  const temporary = await makeTempDir("banger-kernel-source-");
  const cacheDir = join(temporary.path, "cache");
  await mkdir(cacheDir);
  const clock = recordingClock();
  const all = { ...defaultLimits, ...limits };
  const blobs = await BlobCache.open(cacheDir, { limits: all, clock });
  const signaturePolicies = () => policies;
  const options = { catalogs: () => [], cacheDir, blobs, limits: all, access: {}, clock, signaturePolicies };
  const catalog = kernelCatalog(options);
  const progress: KernelProgress[] = [];
  let times = 0;
  const count = (pattern: string): number => globSync(pattern, { cwd: cacheDir }).length;
  return {
    cacheDir,
    progress,
    get folder() {
      return join(temporary.path, `fetched-${times}`);
    },
    fetch: async (source, { signal = new AbortController().signal, architecture = "amd64" } = {}) => {
      const folder = join(temporary.path, `fetched-${++times}`);
      await mkdir(folder);
      const entry = { catalog: "test", name: "k", version: "6.1", architecture, source };
      return await catalog.fetch(entry, { folder, signal, onProgress: (at) => void progress.push(at) });
    },
    cached: () => ({ partial: count("oci/ingest/*"), whole: count("oci/blobs/*/*") }),
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}
