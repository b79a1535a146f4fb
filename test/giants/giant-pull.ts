import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli, startDaemonProcess, type CliResult } from "../system/daemon-process.ts";
import { runProgram } from "../system/program.ts";
import { writeGiantLayout, type GiantLayer } from "./giant-layout.ts";

export interface Pulled {
  readonly rootfs: string;
  /** Of the daemon, in MiB. */
  readonly peakMiB: number;
  readonly seconds: number;
  readonly losses: readonly unknown[];
}

/** Half as much again as the daemon took for 100,000 names (550 MiB, the most of all). */
const peakBoundMiB = 800;

/** Pulls an image of those layers with a daemon of its own, has it verified to the last byte, and lets `look` at it. */
export async function pullGiant(layers: Iterable<GiantLayer>, look: (pulled: Pulled) => void): Promise<void> {
  await attempt(layers, async ({ result, cli, peakMiB, seconds }) => {
    assert.equal(result.status, 0, result.stderr);
    const image: unknown = JSON.parse(result.stdout);
    assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image && "losses" in image);
    const { rootfsPath: rootfs, losses } = image;
    assert.ok(typeof rootfs === "string" && Array.isArray(losses));
    const verified = await cli("image", "verify", "giant");
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    assert.doesNotMatch(runProgram("e2fsck", ["-fn", rootfs]), /WARNING|Fix\?|optimi/);
    assert.ok(peakMiB <= peakBoundMiB, `the daemon took ${peakMiB} MiB`);
    look({ rootfs, peakMiB, seconds, losses });
  });
}

/** The same where the pull must fail: what the CLI says. */
export async function refuseGiant(layers: Iterable<GiantLayer>): Promise<CliResult> {
  let said: CliResult | undefined;
  await attempt(layers, ({ result, peakMiB }) => {
    assert.notEqual(result.status, 0);
    assert.ok(peakMiB <= peakBoundMiB, `the daemon took ${peakMiB} MiB`);
    said = result;
    return Promise.resolve();
  });
  assert.ok(said !== undefined);
  return said;
}

interface Attempt {
  readonly result: CliResult;
  readonly cli: (...args: readonly string[]) => Promise<CliResult>;
  readonly peakMiB: number;
  readonly seconds: number;
}

async function attempt(
  layers: Iterable<GiantLayer>,
  use: (attempt: Attempt) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "banger-giant-"));
  try {
    const reference = writeGiantLayout(join(folder, "layout"), layers);
    await using daemon = await startDaemonProcess();
    const start = performance.now();
    const cli = (...args: readonly string[]): Promise<CliResult> => runCli(daemon, ...args);
    const result = await cli(
      "image",
      "pull",
      reference,
      "--name",
      "giant",
      "--platform",
      "linux/amd64",
      "--no-agents",
      "--progress",
      "plain",
      "--json",
    );
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    await use({ result, cli, peakMiB: peakOf(daemon.child.pid), seconds });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** VmHWM of proc(5), which counts in KiB. */
function peakOf(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s*([0-9]+) kB$/m.exec(status)?.[1]) / 1024);
}

/** What debugfs says of a path, on one line. */
export function statOf(rootfs: string, path: string): string {
  return runProgram("debugfs", ["-R", `stat "${path}"`, rootfs]).replaceAll(/\s+/g, " ");
}
