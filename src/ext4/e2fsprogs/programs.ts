import { BangerError, errnoOf } from "../../base/error.ts";
import { run, type RunOptions, type RunResult } from "../../base/exec.ts";
import type { Limits } from "../../base/limits.ts";

export type Program = "mkfs.ext4" | "debugfs";

/** What a program needs besides its arguments. */
export interface ProgramContext {
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Seconds since 1970 that the programs take for the present, so that the same tree gives the same bytes. */
  readonly now: number;
}

/** 1.43 (2016) brought `mke2fs -d` and `ea_set`; what came later is not made use of. */
const oldest = { major: 1, minor: 43 };

/** @throws BangerError E2FSPROGS_MISSING or E2FSPROGS_TOO_OLD. */
export async function checkPrograms(limits: Limits, signal: AbortSignal): Promise<void> {
  const context: ProgramContext = { limits, signal, now: 0 };
  for (const program of ["mkfs.ext4", "debugfs"] as const) {
    const { stderr, stdout } = await runProgram(program, ["-V"], context, {});
    checkVersion(program, stderr.toString("latin1") + stdout.toString("latin1"));
  }
}

/** Reads `mke2fs 1.47.0 (5-Feb-2023)`. */
export function checkVersion(program: Program, banner: string): void {
  const match = /^(?:mke2fs|mkfs\.ext4|debugfs) (\d+)\.(\d+)\S*/mu.exec(banner);
  const major = Number(match?.[1]);
  const minor = Number(match?.[2]);
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return;
  const found = match === null ? `an unknown version (${banner.slice(0, 80).trim()})` : match[0];
  throw new BangerError(
    "E2FSPROGS_TOO_OLD",
    `${program} is ${found}; ${oldest.major}.${oldest.minor} or later is needed`,
    {
      op: "check e2fsprogs",
      hint: "Install a newer e2fsprogs, or build with --builder direct.",
      facts: { program, found },
    },
  );
}

/** Runs one of them to its end. @throws BangerError E2FSPROGS_MISSING. */
export async function runProgram(
  program: Program,
  args: readonly string[],
  context: ProgramContext,
  options: Pick<RunOptions, "env" | "onStdout"> & { readonly wrapper?: readonly string[] },
): Promise<RunResult> {
  const { wrapper, env, onStdout } = options;
  const [first = program, ...rest] = [...(wrapper ?? []), program, ...args];
  try {
    return await run(first, rest, {
      op: `run ${program}`,
      signal: context.signal,
      timeoutMs: context.limits.programMs,
      maxOutputBytes: context.limits.programOutputBytes,
      // libext2fs takes this for time(2), in the superblock and in inodes that it makes.
      env: { E2FSPROGS_FAKE_TIME: String(context.now), ...env },
      ...(onStdout === undefined ? {} : { onStdout }),
    });
  } catch (error) {
    if (!(error instanceof BangerError) || errnoOf(error.cause) !== "ENOENT") throw error;
    throw new BangerError("E2FSPROGS_MISSING", `${program} is not installed`, {
      op: "check e2fsprogs",
      cause: error,
      hint: "Run `apt install e2fsprogs`, or build with --builder direct.",
      facts: { program },
    });
  }
}

/** What a program said on stderr, without the line that names its version; one line, shortened. */
export function complaints(stderr: Buffer): string {
  return stderr
    .toString("latin1")
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(?:mke2fs|debugfs) \d[^ ]* \(/u.test(line))
    .join("; ")
    .slice(0, 1000);
}
