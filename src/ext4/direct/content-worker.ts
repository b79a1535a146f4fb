import { closeSync, constants, openSync } from "node:fs";
import type { MessagePort } from "node:worker_threads";
import { shortDigest, type Digest } from "../../base/digest.ts";
import { BangerError, asBangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
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
  /** The image, which is there and has its final length by the time that the runs come. */
  readonly target: string;
  /** Gives the layer's PackedRuns, once: until then the layer's first bytes are inflated, and kept. */
  readonly runs: MessagePort;
  readonly limits: Limits;
}

/** Bytes of content written since the last report. */
export type ContentProgress = number;

/** How many bytes between two reports. */
const reportBytes = 4 * 1024 * 1024;

const op = "write contents";

serveJobs<ContentJob, null, ContentProgress>(async (job, { progress }) => {
  try {
    await writeLayer(job, progress);
  } catch (error) {
    throw named(error, job.target);
  }
  return null;
});

async function writeLayer(job: ContentJob, progress: (bytes: number) => void): Promise<void> {
  const planned = new Promise<PackedRuns>((resolve) => void job.runs.once("message", resolve));
  using blob = BlobFile.open(job.blob);
  using contents = new LayerContents(job.target, progress);
  const sum = new BlobSum();
  const { layer, limits } = job;
  const onRead = (piece: Buffer): void => sum.update(piece);
  const options = { layer, limits, onRead, until: () => contents.end };
  const begin = async (piece: Buffer): Promise<void> => {
    contents.plan(await planned);
    contents.take(piece);
  };
  await inflateLayer(blob, options, (piece) => {
    return contents.isPlanned ? contents.take(piece) : begin(piece);
  });
  if (contents.end === 0) return;
  contents.finish();
  if ((await sum.finish(blob)) !== job.crc32) throw decayed(job.layer);
}

/** What is alive of a layer, on its way to the image. Nothing is opened before it is known where it goes. */
class LayerContents implements Disposable {
  readonly #target: string;
  readonly #progress: (bytes: number) => void;
  #fd: number | undefined;
  #writer: RunWriter | undefined;
  #reported = 0;
  /** Where in the inflated layer the last live byte is. */
  end = Infinity;

  constructor(target: string, progress: (bytes: number) => void) {
    this.#target = target;
    this.#progress = progress;
  }

  get isPlanned(): boolean {
    return this.#writer !== undefined;
  }

  plan(runs: PackedRuns): void {
    this.#fd = openSync(this.#target, constants.O_WRONLY | constants.O_NOFOLLOW);
    this.#writer = new RunWriter(runs, new GatheredWrites(this.#fd));
    this.end = sourceEnd(runs);
  }

  take(piece: Buffer): void {
    this.#writer?.take(piece);
    this.#report(reportBytes);
  }

  /** @throws BangerError LAYER_INVALID where the layer ended before its last live byte. */
  finish(): void {
    this.#writer?.end();
    this.#report(1);
  }

  #report(least: number): void {
    const taken = this.#writer?.takenBytes ?? 0;
    if (taken - this.#reported < least) return;
    this.#progress(taken - this.#reported);
    this.#reported = taken;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
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
    hint: "Free some space on that disk, or point --state-dir at a larger one.",
  });
}
