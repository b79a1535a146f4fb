import { shortDigest } from "../base/digest.ts";
import { BangerError, asBangerError, hasReason } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { backoffMs, type Clock } from "../base/retry.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { BlobStream, RetryNotice } from "../oci/image-source.ts";
import type { BlobWriter } from "./blob-writer.ts";
import type { Crew } from "./single-flight.ts";

const op = "fetch blob";

/** Opens a blob from an offset on; see `ImageSource.openBlob`. */
export type OpenBlob = (offset: number, signal: AbortSignal) => Promise<BlobStream>;

/** One who waits for a blob, with a way to get it. */
export interface Waiter {
  readonly open: OpenBlob;
  readonly onProgress: (doneBytes: number) => void;
  readonly onRetry: (notice: RetryNotice) => void;
}

export interface Download {
  readonly descriptor: Descriptor;
  readonly writer: BlobWriter;
  readonly crew: Crew<Waiter>;
  readonly signal: AbortSignal;
  readonly limits: Limits;
  readonly clock: Clock;
}

/**
 * Fills the writer with the blob, resuming as often as that makes headway, and verifies it. Bytes pieced together
 * from several answers that don't verify are fetched once more in one piece.
 *
 * @returns Host or folder that it came from last
 * @throws BangerError DIGEST_MISMATCH, SIZE_MISMATCH, what `open` throws, or the last interruption
 */
export async function download(job: Download): Promise<string> {
  try {
    return await fillAndVerify(job);
  } catch (error) {
    const mayBeSeam = job.writer.isPieced && hasReason(error, "DIGEST_MISMATCH", "SIZE_MISMATCH");
    if (!mayBeSeam) throw error;
    await job.writer.reset();
    return await fillAndVerify(job);
  }
}

async function fillAndVerify(job: Download): Promise<string> {
  const { writer, limits, signal } = job;
  const headway = (limits.minBytesPerSecond * limits.slowWindowMs) / 1000;
  let from = "cache";
  for (let failures = 0; !writer.isFull;) {
    const before = writer.length;
    const outcome = await attempt(job);
    if (typeof outcome === "string") {
      from = outcome;
      continue;
    }
    if (outcome === undefined) continue;
    // A drip that is cut by its slowness gains less than this, and must not go on for ever.
    failures = writer.length - before >= headway ? 1 : failures + 1;
    if (failures >= limits.attempts) throw outcome;
    await pause(job, outcome, failures);
    signal.throwIfAborted();
  }
  writer.verify();
  return from;
}

/**
 * One answer's worth of bytes.
 *
 * @returns Where they came from, the failure that another attempt may mend, or undefined where the attempt doesn't
 *   count because the caller who made it has left
 */
async function attempt(job: Download): Promise<string | BangerError | undefined> {
  const { writer, crew, signal, descriptor } = job;
  const waiter = crew.first();
  if (waiter === undefined) throw asBangerError(signal.reason, op);
  let opened = false;
  try {
    const stream = await waiter.open(writer.length, signal);
    opened = true;
    await pour(stream, job);
    if (writer.isFull) return stream.from;
    return new BangerError(
      "SIZE_MISMATCH",
      `blob ${descriptor.digest} ended at ${stream.from} after ${writer.length} of ${descriptor.size} bytes`,
      { op, facts: { digest: descriptor.digest } },
    );
  } catch (error) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    // The source went with its owner; the next in line has one of its own.
    if (!crew.has(waiter)) return undefined;
    if (opened && hasReason(error, "REGISTRY_UNAVAILABLE")) return error;
    throw error;
  }
}

async function pour(stream: BlobStream, { writer, crew, signal, descriptor }: Download): Promise<void> {
  if (stream.offset === 0) await writer.reset();
  if (stream.offset !== writer.length) {
    // Neither what was asked for nor the start: nothing to build on.
    await writer.reset();
    throw new BangerError(
      "REGISTRY_UNAVAILABLE",
      `${stream.from} sent blob ${descriptor.digest} from ${stream.offset} on, which was not asked for`,
      { op },
    );
  }
  writer.markSeam();
  try {
    for await (const piece of stream.body) {
      if (signal.aborted) throw asBangerError(signal.reason, op);
      await writer.write(piece);
      for (const waiter of crew.all()) waiter.onProgress(writer.length);
    }
  } catch (error) {
    // What a connection does after the last byte of the blob is of no interest.
    if (!(writer.isFull && hasReason(error, "REGISTRY_UNAVAILABLE"))) throw error;
  }
}

async function pause(
  { crew, descriptor, clock, signal }: Download,
  why: BangerError,
  failures: number,
): Promise<void> {
  const delayMs = backoffMs(failures, clock);
  const subject = `layer ${shortDigest(descriptor.digest)}`;
  for (const waiter of crew.all())
    waiter.onRetry({ subject, attempt: failures + 1, delayMs, why: why.message });
  await clock.sleep(delayMs, signal);
}
