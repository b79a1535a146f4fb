import { stat } from "node:fs/promises";
import { BangerError, asBangerError, eachOf, errnoOf, messageOf } from "../base/error.ts";
import { run } from "../base/exec.ts";
import { readConfig } from "../config/read.ts";
import { checkVersion } from "../ext4/e2fsprogs/programs.ts";
import { loadGuestAssets } from "../guest/assets.ts";
import type { DaemonConfig } from "./config.ts";
import type { CheckResult } from "./check-result.ts";
import { folderCheck, readersCheck, socketCheck, spaceCheck } from "./folder-checks.ts";
import { folderProblem } from "./folders.ts";
import { storeCheck } from "./store-check.ts";

/** How long a program may take to say its version, in milliseconds, and what it may print, in bytes. */
const versionMs = 10_000;
const versionBytes = 64 * 1024;

/**
 * Looks at the machine, side by side. What is wrong is in the results; only a cancel is thrown.
 *
 * @param serving whether this process is the daemon: then its socket is looked at, else what would keep one from starting
 */
export async function runChecks(
  config: DaemonConfig,
  signal: AbortSignal,
  serving = true,
): Promise<readonly CheckResult[]> {
  const { stateDir, cacheDir, socketPath } = config.paths;
  const folders = [
    { what: "state", path: stateDir },
    { what: "cache", path: cacheDir },
    { what: "temporary", path: config.tempDir },
  ] as const;
  const programs = ["mkfs.ext4", "debugfs", "e2fsck"] as const;
  const checks = [
    nodeCheck(),
    configChecks(config),
    ...programs.map((program) => programCheck(program, signal)),
    guestCheck(config),
    ...folders.map(({ what, path }) => folderCheck(what, path)),
    ...folders.map(({ what, path }) => spaceCheck(what, path)),
    ...(serving ? [socketCheck(socketPath), readersCheck(socketPath, stateDir)] : [storeCheck(stateDir)]),
  ];
  const results = await Promise.all<CheckResult | readonly CheckResult[]>(checks);
  signal.throwIfAborted();
  return results.flat();
}

async function nodeCheck(): Promise<CheckResult> {
  const { node } = process.versions;
  const ok = Number(node.split(".")[0]) >= 26;
  return { name: "node", ok, detail: node, remedy: ok ? "" : "Run bangerd with Node 26 or later." };
}

/**
 * Whether the file is what the daemon goes by: it may have been changed since, or be wrong by now. Each mistake in it is
 * a result of its own.
 */
async function configChecks({ paths, live }: DaemonConfig): Promise<readonly CheckResult[]> {
  try {
    return [await configCheck({ paths, live })];
  } catch (error) {
    const mistakes = eachOf(asBangerError(error, "check config"));
    return mistakes.map(({ message, hint }) => ({
      name: "config",
      ok: false,
      detail: message,
      remedy: hint,
    }));
  }
}

/** @throws BangerError CONFIG_INVALID. */
async function configCheck({ paths, live }: Pick<DaemonConfig, "paths" | "live">): Promise<CheckResult> {
  const name = "config";
  const { configPath: path, configNamed } = paths;
  const now = readConfig({ path, named: configNamed || live.found });
  // Whoever may write to it can have the daemon do what it may.
  const problem = now.found ? folderProblem(await stat(path), "config") : undefined;
  if (problem !== undefined) {
    return {
      name,
      ok: false,
      detail: `${path} ${problem}`,
      remedy: `Run \`chmod go-w ${path}\`, and own it.`,
    };
  }
  const changed = live.changes(now).map(({ key }) => key);
  const detail = now.found ? path : `none at ${path}: all is by default`;
  if (changed.length === 0 && live.waiting.length === 0) return { name, ok: true, detail, remedy: "" };
  if (changed.length === 0) {
    const waiting = `${path}: ${live.waiting.join(", ")} count from the next start on`;
    return { name, ok: false, detail: waiting, remedy: "Restart the daemon." };
  }
  const remedy = "Send SIGHUP to have it read again; its log says what waits for a restart.";
  return { name, ok: false, detail: `${path} has changed: ${changed.join(", ")}`, remedy };
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
    const lacking =
      program === "e2fsck" ? "images are made unchecked by e2fsck" : "there is no `--builder e2fsprogs`";
    const remedy = `Install e2fsprogs 1.43 or later (\`apt install e2fsprogs\`): without it ${lacking}.`;
    return { name: program, ok: false, detail: missing ? "not found" : messageOf(error), remedy };
  }
}

/** Whether all is there that goes into images. */
async function guestCheck({ guest, limits }: DaemonConfig): Promise<CheckResult> {
  const name = "guest assets";
  try {
    const { common, own } = await loadGuestAssets(guest, limits);
    const files = [...common, ...own].filter(({ kind }) => kind === "file").length;
    return { name, ok: true, detail: `${files} files`, remedy: "" };
  } catch (error) {
    const { message, hint } = asBangerError(error, "check guest assets");
    return { name, ok: false, detail: message, remedy: hint };
  }
}
