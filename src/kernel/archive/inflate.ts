import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Digest } from "../../base/digest.ts";
import { BangerError, asBangerError, errnoOf } from "../../base/error.ts";
import { run } from "../../base/exec.ts";
import type { Limits } from "../../base/limits.ts";
import { BlobFile } from "../../layers/blob-file.ts";
import { inflateLayer } from "../../layers/decompress.ts";
import { tooLargeHint } from "../kernel-errors.ts";
import { asSourceFault, sourceFault } from "./archive-fault.ts";

const op = "unpack kernel";
const xzMagic = "fd377a585a00";
/** MiB that xz may take: `xz -9`, the most that a preset asks for, needs 65 MiB to inflate. */
const xzMemoryMiB = 512;
const stderrBytes = 64 * 1024;
/** Read at once of what is not compressed: a piece is unpacked while nothing else runs. */
const pieceBytes = 256 * 1024;

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
  const check = (): void => {
    if (signal.aborted) throw asBangerError(signal.reason, op);
  };
  try {
    switch (formOf(job.path)) {
      case "xz":
        return await inflateXz(job, consume, commands);
      case "plain":
        return await readThrough(job, (piece) => {
          check();
          consume(piece);
        });
      case "layer": {
        // A kernel's archive is no layer: its own bound on bytes comes first.
        const bounds = { ...limits, inflatedBytes: Math.min(limits.inflatedBytes, limits.kernelBytes) };
        using blob = BlobFile.open(job.path);
        await inflateLayer(blob, { layer: job.digest, limits: bounds }, (piece) => {
          check();
          consume(piece);
        });
      }
    }
  } catch (error) {
    throw asSourceFault(error, subject);
  }
}

/** How a file is to be read: gzip and zstd as those of layers are. */
function formOf(path: string): "xz" | "layer" | "plain" {
  const magic = Buffer.alloc(6);
  const file = openSync(path, "r");
  try {
    readSync(file, magic, 0, magic.length, 0);
  } finally {
    closeSync(file);
  }
  if (magic.toString("hex") === xzMagic) return "xz";
  // RFC 1952 section 2.3.1; RFC 8878 sections 3.1.1 and 3.1.2.
  const word = magic.readUInt32LE(0);
  const zstd = word === 0xfd2fb528 || (word & 0xfffffff0) >>> 0 === 0x184d2a50;
  return zstd || magic.readUInt16BE(0) === 0x1f8b ? "layer" : "plain";
}

/** In pieces, between which the daemon goes on answering: what is not inflated may be long. */
async function readThrough(
  { path, subject, limits }: InflateJob,
  consume: (piece: Buffer) => void,
): Promise<void> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  if (size > limits.kernelBytes) throw tooLarge(subject, limits.kernelBytes);
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(pieceBytes, size)));
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return;
    consume(buffer.subarray(0, bytesRead));
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
      hint: tooLargeHint,
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
