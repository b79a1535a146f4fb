import { closeSync, openSync, readSync } from "node:fs";
import type { Digest } from "../../base/digest.ts";
import { BangerError, asBangerError, errnoOf } from "../../base/error.ts";
import { run } from "../../base/exec.ts";
import type { Limits } from "../../base/limits.ts";
import { inflateLayer } from "../../layers/decompress.ts";
import { asSourceFault, sourceFault } from "./archive-fault.ts";

const op = "unpack kernel";
const xzMagic = "fd377a585a00";
/** MiB that xz may take: `xz -9`, the most that a preset asks for, needs 65 MiB to inflate. */
const xzMemoryMiB = 512;
const stderrBytes = 64 * 1024;

export interface InflateJob {
  readonly path: string;
  /** Of the file that was verified, for the readers of layers. */
  readonly digest: Digest;
  /** As a person would write it. */
  readonly subject: string;
  readonly signal: AbortSignal;
  readonly limits: Limits;
  /** The Debian package that `path` is the data archive of: dpkg-deb can inflate it where xz is missing. */
  readonly package?: string;
}

/**
 * Reads a file through and hands its inflated bytes to `consume`, piece by piece; gzip, zstd and xz are told by its
 * first bytes, anything else is handed on as it is. A piece is the consumer's only until it returns. Stops where the
 * consumer throws or the signal aborts.
 *
 * @param commands those that inflate xz, the first of them that there is
 * @throws BangerError KERNEL_SOURCE_INVALID, LIMIT_*, XZ_MISSING, CANCELLED, or what `consume` threw
 */
export async function inflate(
  job: InflateJob,
  consume: (piece: Buffer) => void,
  commands: readonly XzCommand[] = xzCommands(job),
): Promise<void> {
  const { limits, signal, subject } = job;
  try {
    if (isXz(job.path)) return await inflateXz(job, consume, commands);
    // A kernel's archive is no layer: its own bound on bytes comes first.
    const bounds = { ...limits, inflatedBytes: Math.min(limits.inflatedBytes, limits.kernelBytes) };
    await inflateLayer(job.path, { layer: job.digest, limits: bounds }, (piece) => {
      if (signal.aborted) throw asBangerError(signal.reason, op);
      consume(piece);
    });
  } catch (error) {
    throw asSourceFault(error, subject);
  }
}

function isXz(path: string): boolean {
  const magic = Buffer.alloc(6);
  const file = openSync(path, "r");
  try {
    return readSync(file, magic, 0, magic.length, 0) === magic.length && magic.toString("hex") === xzMagic;
  } finally {
    closeSync(file);
  }
}

export type XzCommand = readonly [program: string, args: readonly string[]];

/** What inflates xz to stdout, the best first: Node has no xz of its own. */
export function xzCommands(job: InflateJob): readonly XzCommand[] {
  const xz: XzCommand = ["xz", ["-dc", "-T1", `--memlimit-decompress=${xzMemoryMiB}MiB`, "--", job.path]];
  const busybox: XzCommand = ["busybox", ["xz", "-dc", job.path]];
  if (job.package === undefined) return [xz, busybox];
  return [xz, ["dpkg-deb", ["--fsys-tarfile", job.package]], busybox];
}

async function inflateXz(
  job: InflateJob,
  consume: (piece: Buffer) => void,
  commands: readonly XzCommand[],
): Promise<void> {
  for (const [program, args] of commands) {
    if (await inflateBy(program, args, job, consume)) return;
  }
  throw new BangerError("XZ_MISSING", `${job.subject} is compressed with xz, and there is no program xz`, {
    op,
  });
}

/** False where there is no such program. */
async function inflateBy(
  program: string,
  args: readonly string[],
  job: InflateJob,
  consume: (piece: Buffer) => void,
): Promise<boolean> {
  const { limits, subject } = job;
  // The consumer's error ends the program, and is what is thrown.
  const failed = new AbortController();
  let bytes = 0;
  const onStdout = (piece: Uint8Array): void => {
    if (failed.signal.aborted) return;
    try {
      bytes += piece.length;
      if (bytes > limits.kernelBytes) throw tooLarge(subject, limits.kernelBytes);
      consume(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    } catch (error) {
      failed.abort(error);
    }
  };
  try {
    const { exitCode, stderr } = await run(program, args, {
      op,
      signal: AbortSignal.any([job.signal, failed.signal]),
      timeoutMs: limits.programMs,
      maxOutputBytes: stderrBytes,
      keepStdout: false,
      onStdout,
    });
    failed.signal.throwIfAborted();
    if (exitCode !== 0) throw doesNotInflate(program, exitCode, stderr, subject);
    return true;
  } catch (error) {
    if (job.signal.aborted) throw asBangerError(job.signal.reason, op);
    if (failed.signal.aborted) throw failed.signal.reason;
    if (error instanceof BangerError && errnoOf(error.cause) === "ENOENT") return false;
    throw error;
  }
}

export function tooLarge(subject: string, limit: number): BangerError {
  return new BangerError(
    "LIMIT_INFLATED",
    `${subject} unpacks to more than the ${limit} bytes that are allowed`,
    {
      op,
      hint: "It is hardly a kernel; if it is, raise kernel_bytes under [limits] in the config.",
      facts: { source: subject },
    },
  );
}

function doesNotInflate(
  program: string,
  exitCode: number | null,
  stderr: Buffer,
  subject: string,
): BangerError {
  const said = stderr
    .toString("latin1")
    .replaceAll(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(-300);
  const how = exitCode === null ? "was killed" : `ended with ${exitCode}`;
  return sourceFault(subject, `does not inflate: ${program} ${how}${said === "" ? "" : ` (${said})`}`);
}
