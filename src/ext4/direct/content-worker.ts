import { closeSync, constants, openSync, readSync } from "node:fs";
import { Digester, algorithmOf, shortDigest, type Digest } from "../../base/digest.ts";
import { BangerError, asBangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { serveJobs } from "../../base/workers.ts";
import { inflateLayer } from "../../layers/decompress.ts";
import { sourceEnd, type PackedRuns } from "./content-runs.ts";
import { GatheredWrites } from "./gathered-writes.ts";
import { RunWriter } from "./run-writer.ts";

/** Writes the live contents of one layer into the image. */
export interface ContentJob {
  readonly blob: string;
  readonly layer: Digest;
  /** Of LayerBlob: it need not be hashed. */
  readonly verifiedNow: boolean;
  /** The image, which is there and has its final length. */
  readonly target: string;
  readonly runs: PackedRuns;
  readonly limits: Limits;
}

/** Bytes of content written since the last report. */
export type ContentProgress = number;

/** How many bytes between two reports. */
const reportBytes = 4 * 1024 * 1024;
/** Read at a time of what follows the live contents: little, mostly, as reading runs ahead of inflating. */
const restBytes = 64 * 1024;

const op = "write contents";

serveJobs<ContentJob, null, ContentProgress>(async (job, { progress }) => {
  const fd = openSync(job.target, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    await writeLayer(job, fd, progress);
  } catch (error) {
    throw named(error, job.target);
  } finally {
    closeSync(fd);
  }
  return null;
});

async function writeLayer(job: ContentJob, fd: number, progress: (bytes: number) => void): Promise<void> {
  const writer = new RunWriter(job.runs, new GatheredWrites(fd));
  const blob = job.verifiedNow ? undefined : new BlobCheck(job);
  let reported = 0;
  const report = (least: number): void => {
    if (writer.takenBytes - reported < least) return;
    progress(writer.takenBytes - reported);
    reported = writer.takenBytes;
  };
  const options = { layer: job.layer, limits: job.limits, until: sourceEnd(job.runs) };
  await inflateLayer(job.blob, { ...options, onRead: (piece) => blob?.update(piece) }, (piece) => {
    writer.take(piece);
    report(reportBytes);
  });
  writer.end();
  blob?.finish();
  report(1);
}

/**
 * Hashes a blob while it is read. A scan's index may be older than what the cache's disk made of the blob since. The
 * digest of the compressed bytes says as much as that of the inflated ones, which the scan compared with the diffID,
 * for a third of the work; and it holds where inflating ends early.
 */
class BlobCheck {
  readonly #job: ContentJob;
  readonly #digester: Digester;
  #hashed = 0;

  constructor(job: ContentJob) {
    this.#job = job;
    this.#digester = new Digester(algorithmOf(job.layer));
  }

  update(piece: Buffer): void {
    this.#digester.update(piece);
    this.#hashed += piece.length;
  }

  /** Reads the rest of the blob. @throws BangerError DIFFID_MISMATCH where the blob is not what it was. */
  finish(): void {
    const { blob, layer } = this.#job;
    const file = openSync(blob, "r");
    try {
      const buffer = Buffer.allocUnsafe(restBytes);
      for (;;) {
        const got = readSync(file, buffer, 0, buffer.length, this.#hashed);
        if (got === 0) break;
        this.update(buffer.subarray(0, got));
      }
    } finally {
      closeSync(file);
    }
    const found = this.#digester.digest();
    if (found === layer) return;
    throw new BangerError("DIFFID_MISMATCH", `layer ${shortDigest(layer)} is ${found} now`, {
      op,
      facts: { layer, found },
    });
  }
}

/** What a full disk needs said: which file it was. */
function named(error: unknown, target: string): BangerError {
  const known = asBangerError(error, op);
  if (error instanceof BangerError || known.reason !== "DISK_FULL") return known;
  return new BangerError("DISK_FULL", `no space left to write ${target}`, {
    op,
    cause: error,
    hint: "Free some space on that disk, or point --state-dir at a larger one.",
  });
}
