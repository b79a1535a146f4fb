import type { Readable } from "node:stream";
import { execa } from "execa";
import { BangerError, asBangerError, errnoOf } from "./error.ts";

export interface RunOptions {
  /** Of the operation, for errors. */
  readonly op: string;
  readonly signal: AbortSignal;
  /** Milliseconds until it is killed. */
  readonly timeoutMs: number;
  /** Bytes kept of stdout and of stderr, each; more fails the run. */
  readonly maxOutputBytes: number;
  /** Added to a small, fixed environment; nothing else of the daemon's own is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Called with each piece of stdout as it comes; it is still kept. Must not throw. */
  readonly onStdout?: (piece: Uint8Array) => void;
  /** False: stdout goes to `onStdout` alone, however long it is, and the program waits while that is at work. */
  readonly keepStdout?: boolean;
}

export interface RunResult {
  /** Null where a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** How long a program has between SIGTERM and SIGKILL, in milliseconds; a cancel must be over within a second. */
const killGraceMs = 300;

/**
 * Runs a program to its end, with no shell. Any exit code is a result: what it means is the caller's to say.
 * Aborting the signal ends the program.
 *
 * @throws BangerError CANCELLED, or INTERNAL where it could not be started, ran too long or said too much. The
 *   system error is the cause: `errnoOf(error.cause)` is ENOENT where there is no such program.
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { op, signal } = options;
  if (signal.aborted) throw asBangerError(signal.reason, op);
  const child = execa(program, args, {
    encoding: "buffer",
    stripFinalNewline: false,
    reject: false,
    cleanup: true,
    extendEnv: false,
    env: { PATH: searchPath(), LC_ALL: "C", TZ: "UTC", ...options.env },
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    cancelSignal: signal,
    forceKillAfterDelay: killGraceMs,
    timeout: options.timeoutMs,
    maxBuffer: options.maxOutputBytes,
    buffer: { stdout: options.keepStdout ?? true },
  });
  const { onStdout } = options;
  if (onStdout !== undefined) child.stdout?.on("data", onStdout);
  const ended = options.keepStdout === false ? streamEnd(child.stdout) : Promise.resolve();
  const [result] = await Promise.all([child, ended]);
  if (result.isCanceled)
    throw new BangerError("CANCELLED", `${op} was cancelled`, { op, cause: signal.reason });
  if (
    result.timedOut ||
    result.isMaxBuffer ||
    (result.failed && result.exitCode === undefined && result.signal === undefined)
  ) {
    throw new BangerError("INTERNAL", `${program} ${describeFailure(result, options)}`, {
      op,
      cause: result.cause,
    });
  }
  return {
    exitCode: result.exitCode ?? null,
    stdout: Buffer.from(result.stdout ?? []),
    stderr: Buffer.from(result.stderr ?? []),
  };
}

/** When its last piece has been handed out, or it was torn down. */
async function streamEnd(stream: Readable | null): Promise<void> {
  if (stream === null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once("end", resolve);
  stream.once("close", resolve);
  await promise;
}

/** The e2fsprogs live in sbin, which an unprivileged user's PATH leaves out. */
function searchPath(): string {
  const path = process.env["PATH"] ?? "";
  return [path, "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    .filter((part) => part !== "")
    .join(":");
}

function describeFailure(
  result: { timedOut: boolean; isMaxBuffer: boolean; cause?: unknown },
  options: RunOptions,
): string {
  if (result.timedOut) return `ran longer than ${options.timeoutMs / 1000} s`;
  if (result.isMaxBuffer) return `printed more than ${options.maxOutputBytes} bytes`;
  return `could not be started (${errnoOf(result.cause) ?? "unknown"})`;
}
