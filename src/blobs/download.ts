import type { ArrivingFile } from "../base/arrival.ts";
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
  readonly onArriving: (file: ArrivingFile) => void;
}

export interface Download {
  readonly descriptor: Descriptor;
  readonly writer: BlobWriter;
  readonly crew: Crew<Waiter>;
  readonly signal: AbortSignal;
  readonly limits: Limits;
  readonly clock: Clock;
}

/** How a download went so far. */
interface Course {
  /** The last answer that was read from. */
  last?: BlobStream;
  /** Failures in a row. */
  failures: number;
}

/**
 * Fills the writer with the blob, resuming as often as that makes headway, and verifies it. Bytes pieced together
 * from several answers that don't verify are fetched once more in one piece; those of one answer condemn the place
 * that they came from, and are asked of the next one where there is any.
 *
 * @returns Host or folder that it came from last
 * @throws BangerError DIGEST_MISMATCH, SIZE_MISMATCH, what `open` throws, or the last interruption
 */
export async function download(job: Download): Promise<string> {
  const course: Course = { failures: 0 };
  for (let pieced = 0; ;) {
    try {
      return await fillAndVerify(job, course);
    } catch (error) {
      if (!hasReason(error, "DIGEST_MISMATCH", "SIZE_MISMATCH")) throw error;
      // A seam is at fault at most once.
      const mayBeSeam = job.writer.isPieced && ++pieced === 1;
      if (!mayBeSeam && course.last?.blame?.("wrong bytes") !== true) throw error;
      await job.writer.reset();
      tell(job, { attempt: 2, delayMs: 0, why: error.message });
    }
  }
}

async function fillAndVerify(job: Download, course: Course): Promise<string> {
  const { writer, limits, signal } = job;
  const headway = (limits.minBytesPerSecond * limits.slowWindowMs) / 1000;
  course.failures = 0;
  while (!writer.isFull) {
    const before = writer.length;
    const failure = await attempt(job, course);
    if (failure === undefined) continue;
    // A drip that is cut by its slowness gains less than this, and must not go on for ever.
    course.failures = writer.length - before >= headway ? 1 : course.failures + 1;
    if (course.failures >= limits.attempts) throw failure;
    await pause(job, failure, course.failures);
    signal.throwIfAborted();
  }
  const from = course.last?.from;
  writer.verify(from);
  return from ?? "cache";
}

/**
 * One answer's worth of bytes.
 *
 * @returns The failure that another attempt may mend; undefined where there is none, or where the attempt doesn't
 *   count because the caller who made it has left
 */
async function attempt(job: Download, course: Course): Promise<BangerError | undefined> {
  const { writer, crew, signal, descriptor } = job;
  const waiter = crew.first();
  if (waiter === undefined) throw asBangerError(signal.reason, op);
  let stream: BlobStream | undefined;
  try {
    stream = await waiter.open(writer.length, signal);
    await pour(stream, job, course);
    if (writer.isFull) return undefined;
    stream.blame?.("broke off");
    return new BangerError(
      "SIZE_MISMATCH",
      `blob ${descriptor.digest} ended at ${stream.from} after ${writer.length} of ${descriptor.size} bytes`,
      { op, facts: { digest: descriptor.digest } },
    );
  } catch (error) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    // The source went with its owner; the next in line has one of its own.
    if (!crew.has(waiter)) return undefined;
    if (!hasReason(error, "REGISTRY_UNAVAILABLE")) throw error;
    // A registry that has sent some of it and is away now is being restarted, more likely than not.
    if (stream === undefined && course.last === undefined) throw error;
    stream?.blame?.("broke off");
    return error;
  }
}

async function pour(stream: BlobStream, job: Download, course: Course): Promise<void> {
  const { writer, crew, signal, descriptor } = job;
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
  writer.goOn();
  try {
    for await (const piece of stream.body) {
      if (signal.aborted) throw asBangerError(signal.reason, op);
      course.last = stream;
      await writer.write(piece);
      for (const waiter of crew.all()) waiter.onProgress(writer.length);
    }
  } catch (error) {
    // What a connection does after the last byte of the blob is of no interest.
    if (!(writer.isFull && hasReason(error, "REGISTRY_UNAVAILABLE"))) throw error;
  } finally {
    await writer.flush();
  }
}

async function pause(job: Download, why: BangerError, failures: number): Promise<void> {
  const delayMs = backoffMs(failures, job.clock);
  tell(job, { attempt: failures + 1, delayMs, why: why.message });
  await job.clock.sleep(delayMs, job.signal);
}

function tell({ crew, descriptor }: Download, notice: Omit<RetryNotice, "subject">): void {
  const subject = `layer ${shortDigest(descriptor.digest)}`;
  for (const waiter of crew.all()) waiter.onRetry({ subject, ...notice });
}
