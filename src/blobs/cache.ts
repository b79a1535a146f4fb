import { lstatSync } from "node:fs";
import { rm, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import type { ArrivingFile } from "../base/arrival.ts";
import { digestOfFile } from "../base/digest-of-file.ts";
import { algorithmOf, type Digest } from "../base/digest.ts";
import { asBangerError, errnoOf, hasReason, retold, type BangerError } from "../base/error.ts";
import { makeDir } from "../base/files.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { makeRoom } from "../base/make-room.ts";
import { systemClock, type Clock } from "../base/retry.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { RetryNotice } from "../oci/image-source.ts";
import { BlobWriter } from "./blob-writer.ts";
import { download, type OpenBlob, type Waiter } from "./download.ts";
import { IngestFile } from "./ingest-file.ts";
import { cacheFolders, digestPath, type CacheFolders } from "./layout.ts";
import { CachePins } from "./pins.ts";
import { ReadingAlong } from "./reading-along.ts";
import { SingleFlight, type Crew } from "./single-flight.ts";
import { WriteBehind } from "./write-behind.ts";

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Bytes that are here, of `descriptor.size`; goes back where a download starts again. */
  readonly onProgress?: (doneBytes: number) => void;
  readonly onRetry?: (notice: RetryNotice) => void;
  /**
   * The blob is on its way and can be read along: called at most once, not where it is here already, and for one of
   * those who wait for the same blob.
   */
  readonly onArriving?: (file: ArrivingFile) => void;
}

export interface FetchedBlob {
  /** The caller reads it and never writes. */
  readonly path: string;
  /** It was here already; nothing was opened. */
  readonly cached: boolean;
  /** Host or folder it came from, `cache` where it was here. */
  readonly from: string;
  /** Bytes that came from there, each time that they came. */
  readonly receivedBytes: number;
  /** Bytes that needn't come again, as what broke off was resumed. */
  readonly sparedBytes: number;
}

export interface BlobCacheOptions {
  readonly limits?: Limits;
  readonly clock?: Clock;
}

/**
 * Verified blobs on disk, by digest. Nothing is ever visible under a digest but the whole blob that hashes to it:
 * bytes are hashed on their way into an ingest file, which becomes the blob by a rename once it is durable.
 */
export class BlobCache {
  readonly #folders: CacheFolders;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #writeBehind = new WriteBehind();
  readonly #flights = new SingleFlight<string, Waiter, FetchedBlob>();

  private constructor(
    folders: CacheFolders,
    { limits = defaultLimits, clock = systemClock }: BlobCacheOptions,
  ) {
    this.#folders = folders;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Opens `<cacheDir>/oci`, which is made where it is not there. Several processes may share it. */
  static async open(cacheDir: string, options: BlobCacheOptions = {}): Promise<BlobCache> {
    const folders = cacheFolders(cacheDir);
    try {
      for (const folder of Object.values(folders)) await makeDir(folder);
    } catch (error) {
      throw asBangerError(error, "open cache");
    }
    return new BlobCache(folders, options);
  }

  /** What pruning leaves alone. A path that `fetch` gave is good for as long as its digest is pinned here. */
  readonly pins = new CachePins();

  get folders(): CacheFolders {
    return this.#folders;
  }

  /** Where a blob is, or would be. */
  pathOf(digest: Digest): string {
    return digestPath(this.#folders.blobs, digest);
  }

  /** Whether the blob is here. One of the wrong size is not trusted, and `fetch` replaces it. */
  has({ digest, size }: Pick<Descriptor, "digest" | "size">): boolean {
    const found = lstatSync(this.pathOf(digest), { throwIfNoEntry: false });
    return found !== undefined && found.isFile() && found.size === size;
  }

  /**
   * Makes sure that the blob is here, whole and verified. `open` is called for its bytes, again with the offset
   * reached where a body breaks off with REGISTRY_UNAVAILABLE. Callers that want the same blob at the same time
   * share one download; it goes on until the last of them cancels.
   *
   * The path is good for as long as the caller has pinned the digest; a blob that was here counts as used now.
   *
   * Idempotent. A cancelled or broken download keeps its bytes for the next one; nothing stays open.
   *
   * @throws BangerError DIGEST_MISMATCH, SIZE_MISMATCH, DISK_FULL (all of which leave nothing behind), CANCELLED, or
   *   what `open` throws
   */
  async fetch(descriptor: Descriptor, open: OpenBlob, options: FetchOptions): Promise<FetchedBlob> {
    const { signal, onProgress = () => {}, onRetry = () => {}, onArriving = () => {} } = options;
    const waiter: Waiter = { open, onProgress, onRetry, onArriving };
    using _pin = this.pins.pin([descriptor.digest]);
    try {
      // Descriptors that disagree on the size are not one download: at most one of them is right.
      const key = `${descriptor.digest} ${descriptor.size}`;
      return await this.#flights.join(key, waiter, signal, (crew, flightSignal) =>
        this.#ingest(descriptor, crew, flightSignal),
      );
    } catch (error) {
      throw asBangerError(error, "fetch blob");
    }
  }

  /**
   * Hashes a blob that is here once more, and removes it where its bytes are no longer its digest's.
   *
   * @returns Whether it was removed.
   */
  async removeDecayed(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const path = this.pathOf(digest);
    try {
      if ((await digestOfFile(path, algorithmOf(digest), signal)) === digest) return false;
      await rm(path, { force: true });
      return true;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw asBangerError(error, "check cached blob");
    }
  }

  /**
   * Notes in the files' times of modification, which mean nothing else here, that a blob was used, and its index with
   * it: access times are not kept everywhere, and a table would have to be kept in step with other processes' files.
   */
  async #touch(digest: Digest): Promise<void> {
    const now = new Date();
    for (const path of [this.pathOf(digest), digestPath(this.#folders.indexes, digest)]) {
      try {
        await utimes(path, now, now);
      } catch {
        // It is only a hint for pruning: there may be no index, or the blob may be another user's.
      }
    }
  }

  async #ingest(descriptor: Descriptor, crew: Crew<Waiter>, signal: AbortSignal): Promise<FetchedBlob> {
    const path = this.pathOf(descriptor.digest);
    if (this.has(descriptor)) {
      await this.#touch(descriptor.digest);
      return { path, cached: true, from: "cache", receivedBytes: 0, sparedBytes: 0 };
    }
    await makeDir(dirname(path));
    await using file = await IngestFile.claim(this.#folders.ingest, descriptor.digest);
    const reading = new ReadingAlong(file.path, descriptor.size, (arriving) =>
      crew.first()?.onArriving(arriving),
    );
    try {
      const writer = await BlobWriter.resume(file.handle, descriptor, this.#writeBehind, reading, signal);
      const limits = this.#limits;
      const from = await download({ descriptor, writer, crew, signal, limits, clock: this.#clock });
      await file.publish(path);
      const { received, spared } = writer;
      return { path, cached: false, from, receivedBytes: received, sparedBytes: spared };
    } catch (error) {
      reading.giveUp();
      const failure = asBangerError(error, "fetch blob");
      // Wrong bytes are worth nothing; on a full disk the room is worth more than the part.
      if (hasReason(failure, "DIGEST_MISMATCH", "SIZE_MISMATCH", "DISK_FULL")) await file.discard();
      throw hasReason(failure, "DISK_FULL") ? cacheFull(failure, this.#folders.ingest) : failure;
    }
  }
}

/** A write that fails on a full disk names no file by itself. */
function cacheFull(error: BangerError, folder: string): BangerError {
  return retold(error, {
    message: `${error.op}: no space left in ${folder}`,
    hint: makeRoom("--cache-dir"),
    facts: { path: folder },
  });
}
