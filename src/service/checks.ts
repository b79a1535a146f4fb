import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { freeBytes } from "../base/disk.ts";
import { BangerError, errnoOf, messageOf } from "../base/error.ts";
import { run } from "../base/exec.ts";
import { checkVersion } from "../ext4/e2fsprogs/programs.ts";
import type { DaemonConfig } from "./config.ts";
import { folderProblem, type FolderUse } from "./folders.ts";

/** One thing that the daemon needs, and whether it has it. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** What to do; empty where it is ok. */
  readonly remedy: string;
}

/** Below this an image of a distribution's size is not likely to fit, in bytes. */
const littleSpace = 2 * 1024 ** 3;

/** How long a program may take to say its version, in milliseconds, and what it may print, in bytes. */
const versionMs = 10_000;
const versionBytes = 64 * 1024;

/** Looks at the machine, side by side. What is wrong is in the results; only a cancel is thrown. */
export async function runChecks(config: DaemonConfig, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const { stateDir, cacheDir } = config.paths;
  const folders = [
    { what: "state", path: stateDir },
    { what: "cache", path: cacheDir },
    { what: "temporary", path: config.tempDir },
  ] as const;
  const programs = ["mkfs.ext4", "debugfs", "e2fsck"] as const;
  const checks = [
    nodeCheck(),
    ...programs.map((program) => programCheck(program, signal)),
    ...folders.map(({ what, path }) => folderCheck(what, path)),
    ...folders.map(({ what, path }) => spaceCheck(what, path)),
  ];
  const results = await Promise.all(checks);
  signal.throwIfAborted();
  return results;
}

async function nodeCheck(): Promise<CheckResult> {
  const { node } = process.versions;
  const ok = Number(node.split(".")[0]) >= 26;
  return { name: "node", ok, detail: node, remedy: ok ? "" : "Run bangerd with Node 26 or later." };
}

async function programCheck(
  program: "mkfs.ext4" | "debugfs" | "e2fsck",
  signal: AbortSignal,
): Promise<CheckResult> {
  const options = {
    op: `check ${program}`,
    signal,
    timeoutMs: versionMs,
    maxOutputBytes: versionBytes,
  };
  try {
    const { stdout, stderr } = await run(program, ["-V"], options);
    const banner = stderr.toString("latin1") + stdout.toString("latin1");
    // All come from one package; e2fsck's own banner is not one that the builder looks at.
    if (program !== "e2fsck") checkVersion(program, banner);
    return { name: program, ok: true, detail: banner.split("\n")[0]?.trim() ?? "", remedy: "" };
  } catch (error) {
    const missing = error instanceof BangerError && errnoOf(error.cause) === "ENOENT";
    const remedy = "Install e2fsprogs 1.43 or later (`apt install e2fsprogs`).";
    return { name: program, ok: false, detail: missing ? "not found" : messageOf(error), remedy };
  }
}

async function folderCheck(what: FolderUse, path: string): Promise<CheckResult> {
  const name = `${what} folder`;
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const stats = await stat(path);
    const problem = folderProblem(stats, what);
    if (problem === undefined) return { name, ok: true, detail: path, remedy: "" };
    return {
      name,
      ok: false,
      detail: `${path} ${problem}`,
      remedy: `Run \`chmod go-w ${path}\`, and own it.`,
    };
  } catch (error) {
    const remedy = "Make it yours to read and write, or choose another folder.";
    return { name, ok: false, detail: messageOf(error), remedy };
  }
}

async function spaceCheck(what: string, path: string): Promise<CheckResult> {
  const name = `${what} space`;
  try {
    const free = await freeBytes(path);
    const detail = `${(free / 1024 ** 3).toFixed(1)} GiB free on the disk of ${path}`;
    const ok = free >= littleSpace;
    return { name, ok, detail, remedy: ok ? "" : "Free some space, or choose a folder on a larger disk." };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error), remedy: "Check that the folder exists." };
  }
}
