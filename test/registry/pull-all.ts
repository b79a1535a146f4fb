import { readFile } from "node:fs/promises";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits, type Limits } from "../../src/base/limits.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import type { ResolvedImage, RetryNotice } from "../../src/oci/image-source.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { openSource, type OpenSourceOptions } from "../../src/registry/open-source.ts";
import { recordingClock, type RecordingClock } from "../base/recording-clock.ts";

export interface Pulled {
  readonly image: ResolvedImage;
  /** Compressed bytes of each layer, as they lie in the cache. */
  readonly layers: readonly Buffer[];
  readonly notices: readonly RetryNotice[];
}

export interface PullOptions extends Omit<OpenSourceOptions, "limits" | "clock"> {
  readonly limits?: Partial<Limits>;
  readonly clock?: RecordingClock;
  readonly platform?: string;
  readonly signal?: AbortSignal;
  readonly notices?: RetryNotice[];
}

/** Waits short enough for a test, long enough for a busy machine where nothing is to time out. */
export const impatient: Partial<Limits> = { stallMs: 150, slowWindowMs: 150, responseMs: 400 };

/** Resolves a reference and brings all its layers into a new cache, as a pull does. */
export async function pullAll(reference: string, options: PullOptions = {}): Promise<Pulled> {
  const { platform = "linux/amd64", notices = [], clock = recordingClock() } = options;
  const { signal = new AbortController().signal } = options;
  const limits = { ...defaultLimits, ...options.limits };
  await using folder = await makeTempDir("banger-pull-");
  await using source = openSource(reference, { ...options, limits, clock });
  const cache = await BlobCache.open(folder.path, { limits, clock });
  const sourceOptions = { signal, onRetry: (notice: RetryNotice) => void notices.push(notice) };
  const image = await source.resolve(parsePlatform(platform), sourceOptions);
  const layers: Buffer[] = [];
  for (const layer of image.manifest.layers) {
    const open = (offset: number) => source.openBlob(layer, offset, sourceOptions);
    layers.push(await readFile((await cache.fetch(layer, open, sourceOptions)).path));
  }
  return { image, layers, notices };
}
