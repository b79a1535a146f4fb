import { closeSync, constants, openSync } from "node:fs";
import { shortDigest, type Digest } from "../../base/digest.ts";
import { BangerError, asBangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { makeRoom } from "../../base/make-room.ts";
import { serveJobs } from "../../base/workers.ts";
import { BlobFile } from "../../layers/blob-file.ts";
import { BlobSum } from "../../layers/blob-sum.ts";
import { inflateLayer } from "../../layers/decompress.ts";
import { sourceEnd, type PackedRuns } from "./content-runs.ts";
import { GatheredWrites } from "./gathered-writes.ts";
import { RunWriter } from "./run-writer.ts";

/** Writes the live contents of one layer into the image. */
export interface ContentJob {
  readonly blob: string;
  readonly layer: Digest;
  /** Of the blob when it was scanned. */
  readonly crc32: number;
  /** The image, which is there and has its final length. */
  readonly target: string;
  readonly runs: PackedRuns;
  readonly limits: Limits;
}

/** Bytes of content written since the last report. */
export type ContentProgress = number;

/** How many bytes between two reports. */
const reportBytes = 4 * 1024 * 1024;

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
  const sum = new BlobSum();
  let reported = 0;
  const report = (least: number): void => {
    if (writer.takenBytes - reported < least) return;
    progress(writer.takenBytes - reported);
    reported = writer.takenBytes;
  };
  const options = { layer: job.layer, limits: job.limits, until: sourceEnd(job.runs) };
  using blob = BlobFile.open(job.blob);
  await inflateLayer(blob, { ...options, onRead: (piece: Buffer) => sum.update(piece) }, (piece) => {
    writer.take(piece);
    report(reportBytes);
  });
  writer.end();
  if ((await sum.finish(blob)) !== job.crc32) throw decayed(job.layer);
  report(1);
}

/** A blob that is not what was scanned: what is written of it may be anything. */
function decayed(layer: Digest): BangerError {
  return new BangerError("DIFFID_MISMATCH", `layer ${shortDigest(layer)} is not what was scanned`, {
    op,
    hint: "Pull again, which fetches it anew; if it happens twice, check the disk of the cache.",
    facts: { layer },
  });
}

/** What a full disk needs said: which file it was. */
function named(error: unknown, target: string): BangerError {
  const known = asBangerError(error, op);
  if (error instanceof BangerError || known.reason !== "DISK_FULL") return known;
  return new BangerError("DISK_FULL", `no space left to write ${target}`, {
    op,
    cause: error,
    hint: makeRoom("--state-dir"),
  });
}
