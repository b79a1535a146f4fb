import { resolve } from "node:path";
import { BangerError, errnoOf, hasReason } from "../base/error.ts";
import { run, type RunResult } from "../base/exec.ts";
import type { Limits } from "../base/limits.ts";

export interface FsckOptions {
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Another e2fsck than that of the PATH. */
  readonly program?: string;
}

export interface FsckReport {
  /** False where e2fsck is not installed, and may be missing: all else is as if it had had nothing to say. */
  readonly ran: boolean;
  /** e2fsck ended with 0: nothing to repair. */
  readonly clean: boolean;
  /**
   * Lines that name a problem or propose an optimisation; the latter may come with `clean`, and without it there is at
   * least one. Bounded: the first of them.
   */
  readonly problems: readonly string[];
  /** All that it said. */
  readonly output: string;
}

const op = "check file system";

/**
 * Runs `e2fsck -fn` on an image: every structure, nothing changed.
 *
 * @throws BangerError E2FSPROGS_MISSING, E2FSPROGS_FAILED where it could not do its work, CANCELLED.
 */
export async function fsck(path: string, options: FsckOptions): Promise<FsckReport> {
  // e2fsprogs take what follows a question mark for options of the file's (e2fsck/unix.c, `io_options`).
  if (path.includes("?")) {
    throw new BangerError("OPTION_INVALID", `${path}: e2fsck can't open a file with a ? in its path`, {
      op,
      hint: "Use a state folder without a question mark in its name.",
    });
  }
  const result = await runE2fsck(path, options);
  const output = `${result.stdout.toString("utf8")}${result.stderr.toString("utf8")}`;
  // e2fsck(8), "EXIT CODE": 4 is errors left uncorrected, 8 an operational error, such as no superblock.
  if (result.exitCode === null || (result.exitCode & ~12) !== 0) {
    const how = result.exitCode === null ? "was killed" : `ended with ${result.exitCode}`;
    throw new BangerError("E2FSPROGS_FAILED", `e2fsck ${how}: ${output.trim().slice(-500)}`, {
      op,
      hint: "Run `e2fsck -fn` on the image by hand.",
    });
  }
  const clean = result.exitCode === 0;
  const told = parseProblems(output);
  const problems = clean || told.length > 0 ? told : [`e2fsck ended with ${result.exitCode}`];
  return { ran: true, clean, problems, output };
}

/** `fsck`, where e2fsck is installed. */
export async function fsckIfThere(path: string, options: FsckOptions): Promise<FsckReport> {
  try {
    return await fsck(path, options);
  } catch (error) {
    if (!hasReason(error, "E2FSPROGS_MISSING")) throw error;
    return { ran: false, clean: true, problems: [], output: "" };
  }
}

async function runE2fsck(path: string, options: FsckOptions): Promise<RunResult> {
  const { limits, signal, program = "e2fsck" } = options;
  const { programMs: timeoutMs, programOutputBytes: maxOutputBytes } = limits;
  try {
    return await run(program, ["-f", "-n", resolve(path)], { op, signal, timeoutMs, maxOutputBytes });
  } catch (error) {
    if (!(error instanceof BangerError) || errnoOf(error.cause) !== "ENOENT") throw error;
    throw new BangerError("E2FSPROGS_MISSING", "e2fsck is not installed", {
      op,
      cause: error,
      hint: "Install it: `apt install e2fsprogs`.",
    });
  }
}

/** What e2fsck says of itself: its version, its passes, and at the end how full the file system is. */
const scaffolding = [
  /^e2fsck \d/,
  /^Pass \d[A-Z]?: /,
  /: \d+\/\d+ files \([\d.]+% non-contiguous\), \d+\/\d+ blocks$/,
];

/** A file system that was overwritten has a line for each of its inodes, and nobody reads so many. */
const mostProblems = 500;
const longestProblem = 500;

/** The lines of e2fsck's output that are about the file system's state: the first of them, and how many more there are. */
export function parseProblems(output: string): readonly string[] {
  const problems = output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !scaffolding.some((pattern) => pattern.test(line)));
  const told = problems.slice(0, mostProblems).map((line) => line.slice(0, longestProblem));
  const more = problems.length - told.length;
  return more === 0 ? told : [...told, `… and ${more} more lines`];
}
