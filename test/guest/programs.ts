import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync, mkdirSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";

/** The folder of the guest's sources. */
export const guest = join(import.meta.dirname, "../../guest");

/** A folder of its own for a test file, gone when its tests are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "banger-guest-"));
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export interface Ran {
  /** Null where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; bytes are taken as latin1. */
export function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Ran {
  const ran = spawnSync(program, args, {
    encoding: "latin1",
    timeout: 60_000,
    maxBuffer: 16 << 20,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", ...env },
  });
  if (ran.error !== undefined) throw ran.error;
  return { status: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}

/** Whether a program answers at all, for tests that need one which not every machine has. */
export function hasProgram(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** Builds the guest's programs into a folder, as the package build does. */
export function buildPrograms(folder: string): void {
  const ran = runProgram(join(guest, "build.sh"), [folder]);
  if (ran.status !== 0 || ran.stderr !== "") throw new Error(`build.sh: ${String(ran.status)} ${ran.stderr}`);
}

/** Writes files below a root, with their folders. */
export function writeTree(root: string, files: Readonly<Record<string, string>>, mode = 0o644): void {
  for (const [path, content] of Object.entries(files)) {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content, "latin1");
    chmodSync(full, mode);
  }
}
