import { asBangerError, type BangerError } from "../base/error.ts";
import { makeDir, removeTree } from "../base/files.ts";
import type { BlobCache } from "../blobs/cache.ts";
import { cacheKinds, listCache, type CacheFile, type CacheKind } from "../blobs/inventory.ts";
import { choosePrune, isUnused, removeFiles, type CacheNeeds, type Pruned } from "../blobs/prune.ts";
import type { Store } from "../store/store.ts";

/** What one kind of files in the cache takes. */
export interface CacheUsageOf {
  readonly kind: CacheKind;
  readonly count: number;
  readonly bytes: number;
  /** Of those, what no image was made of, and no pull is at. */
  readonly unusedBytes: number;
}

/** What a person asks to be removed; see `CacheService`. */
export interface PruneRequest {
  readonly unusedForMs: number;
  /** 0 is no such limit. */
  readonly keepBytes: number;
  readonly all: boolean;
  readonly dryRun: boolean;
}

/** Where the cache prunes itself, in bytes; undefined never. Without a low mark it prunes to nine tenths of the high. */
export interface WaterMarks {
  readonly highWater: number | undefined;
  readonly lowWater: number | undefined;
}

export interface UpkeepDeps {
  readonly blobs: BlobCache;
  readonly store: Pick<Store, "referredDigests">;
  /** Asked each time, so that a setting may change. */
  readonly marks: () => WaterMarks;
  /** What was removed unasked; for the log. */
  readonly onPruned: (why: "stale downloads" | "high-water mark", pruned: Pruned) => void;
  /** Keeping order is nobody's call: what goes wrong is told here, and tried again after the next pull. */
  readonly onError: (error: BangerError) => void;
}

/** A download that broke off and that nobody asked for again in this time is not going to be resumed. */
const staleIngestMs = 7 * 24 * 60 * 60_000;

/** Looks after the cache of blobs and indexes. Disposing waits for what is under way, after it was told to stop. */
export class CacheUpkeep implements AsyncDisposable {
  readonly #deps: UpkeepDeps;
  readonly #stopped = new AbortController();
  #tidying: Promise<void> | undefined;
  #again = false;

  constructor(deps: UpkeepDeps) {
    this.#deps = deps;
  }

  /** @throws BangerError of the file system or the store, CANCELLED. */
  async usage(signal: AbortSignal): Promise<readonly CacheUsageOf[]> {
    const { files, needs } = await this.#look(signal);
    return cacheKinds.map((kind) => {
      const those = files.filter((file) => file.kind === kind);
      const unused = those.filter((file) => isUnused(file, needs));
      return { kind, count: those.length, bytes: sumOf(those), unusedBytes: sumOf(unused) };
    });
  }

  /** Removes what matches, and never what a pull is at. @throws as `usage`. */
  async prune(request: PruneRequest, signal: AbortSignal): Promise<Pruned> {
    const { files, needs } = await this.#look(signal);
    const { unusedForMs, keepBytes, all, dryRun } = request;
    const usedBefore = unusedForMs === 0 ? Infinity : Date.now() - unusedForMs;
    const chosen = choosePrune(files, { usedBefore, keepBytes, all }, needs);
    return dryRun ? { count: chosen.length, bytes: sumOf(chosen) } : this.#remove(chosen, signal);
  }

  /** Once before anything else: what a kill left half removed. */
  async sweep(): Promise<void> {
    const { trash } = this.#deps.blobs.folders;
    try {
      await removeTree(trash);
      await makeDir(trash);
    } catch (error) {
      throw asBangerError(error, "sweep cache");
    }
  }

  /**
   * Removes downloads that nobody resumed, and where there is more than the high-water mark allows, what was used
   * longest ago. Called at the start and after each pull; returns at once.
   */
  tidy(): void {
    this.#again = true;
    this.#tidying ??= this.#tidyWhileAsked();
  }

  /** Returns once nothing is tidied any more. */
  async idle(): Promise<void> {
    await this.#tidying;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#tidying;
  }

  /** Never rejects. It ends in the same turn in which it last looked whether it was asked again. */
  async #tidyWhileAsked(): Promise<void> {
    const { signal } = this.#stopped;
    // Not before `#tidying` is set.
    await Promise.resolve();
    while (this.#again && !signal.aborted) {
      this.#again = false;
      try {
        await this.#tidyOnce(signal);
      } catch (error) {
        if (!signal.aborted) this.#deps.onError(asBangerError(error, "tidy cache"));
      }
    }
    this.#tidying = undefined;
  }

  async #tidyOnce(signal: AbortSignal): Promise<void> {
    const { marks, onPruned } = this.#deps;
    const { files, needs } = await this.#look(signal);
    const staleBefore = Date.now() - staleIngestMs;
    const ingest = files.filter(({ kind }) => kind === "ingest");
    const stale = choosePrune(ingest, { usedBefore: staleBefore, keepBytes: 0, all: true }, needs);
    const swept = await this.#remove(stale, signal);
    if (swept.count > 0) onPruned("stale downloads", swept);

    const { highWater, lowWater } = marks();
    const left = files.filter((file) => !stale.includes(file));
    if (highWater === undefined || sumOf(left) <= highWater) return;
    // 0 would be no limit at all.
    const keepBytes = Math.max(1, Math.min(lowWater ?? Math.floor(highWater * 0.9), highWater));
    const chosen = choosePrune(left, { usedBefore: Infinity, keepBytes, all: true }, needs);
    const pruned = await this.#remove(chosen, signal);
    if (pruned.count > 0) onPruned("high-water mark", pruned);
  }

  #remove(files: readonly CacheFile[], signal: AbortSignal): Promise<Pruned> {
    const { pins, folders } = this.#deps.blobs;
    return removeFiles(files, pins, folders.trash, signal);
  }

  async #look(
    signal: AbortSignal,
  ): Promise<{ readonly files: readonly CacheFile[]; readonly needs: CacheNeeds }> {
    const { blobs, store } = this.#deps;
    const referred = await store.referredDigests();
    const files = await listCache(blobs.folders, signal);
    const { pins } = blobs;
    return {
      files,
      needs: { isPinned: (digest) => pins.has(digest), isReferred: (digest) => referred.has(digest) },
    };
  }
}

function sumOf(files: readonly CacheFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
