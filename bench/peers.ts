import { spawnSync } from "node:child_process";
import { lstatSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Runs a program and returns how long it took, in seconds; a failure ends the bench. */
export function timed(program: string, args: readonly string[]): number {
  const begin = performance.now();
  const result = spawnSync(program, [...args], { stdio: ["ignore", "ignore", "pipe"], maxBuffer: 1 << 28 });
  if (result.status !== 0)
    throw new Error(`${program} failed: ${result.error?.message ?? String(result.stderr)}`);
  return (performance.now() - begin) / 1000;
}

function* pathsBelow(folder: string, path = ""): Generator<string> {
  for (const entry of readdirSync(folder + path, { withFileTypes: true })) {
    const inner = `${path}/${entry.name}`;
    yield inner;
    if (entry.isDirectory()) yield* pathsBelow(folder, inner);
  }
}

/** What people do who write owners by debugfs: five fields of every entry, by path. */
function ownershipScript(tree: string): string {
  const lines: string[] = [];
  for (const path of pathsBelow(tree)) {
    const { mode, uid, gid, mtimeMs } = lstatSync(tree + path);
    const fields = { mode: `0${mode.toString(8)}`, uid, gid, mtime: `@${Math.floor(mtimeMs / 1000)}` };
    for (const [field, value] of Object.entries(fields)) lines.push(`sif "${path}" ${field} ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

export interface PeerTimes {
  readonly unpack: number;
  readonly mkfs: number;
  readonly debugfs: number;
}

/** `umoci raw unpack`, `mkfs.ext4 -d` and `debugfs` over every entry: the road by hand. */
export function roadByHand(layout: string, work: string): PeerTimes {
  const tree = join(work, "umoci-tree");
  const image = join(work, "by-hand.ext4");
  const script = join(work, "by-hand.debugfs");
  for (const path of [tree, image, script]) rmSync(path, { recursive: true, force: true });
  const unpack = timed("umoci", ["raw", "unpack", "--image", `${layout}:latest`, tree]);
  writeFileSync(image, "");
  truncateSync(image, 4 * 2 ** 30);
  const mkfs = timed("mkfs.ext4", ["-F", "-q", "-d", tree, "-E", "root_owner=0:0", image]);
  writeFileSync(script, ownershipScript(tree));
  const debugfs = timed("debugfs", ["-w", "-f", script, image]);
  for (const path of [tree, image, script]) rmSync(path, { recursive: true, force: true });
  return { unpack, mkfs, debugfs };
}
