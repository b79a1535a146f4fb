import { spawn, spawnSync } from "node:child_process";
import { lstatSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHostTree, type HostEntry } from "../../system/host-tree.ts";

/** What umoci made of an image: a folder's tree, or what it said. */
export type UmociResult =
  | { readonly refused: string; readonly tree?: undefined }
  | {
      readonly refused?: undefined;
      readonly tree: ReadonlyMap<string, HostEntry>;
      /** Files that take less room than they are long. */
      readonly sparse: ReadonlySet<string>;
    };

/** Other versions have other outcomes. */
const version = "0.4.7";

/** EXT4_SUPER_MAGIC of statfs(2). */
const ext4Magic = 0xef53;

/** Why umoci can't be run here to compare with, or undefined where it can. */
export function whyNotUmoci(): string | undefined {
  const said = spawnSync("umoci", ["--version"], { encoding: "utf8" }).stdout ?? "";
  if (!said.includes(` ${version}+`) && !said.includes(` ${version}\n`)) return `needs umoci ${version}`;
  if (process.geteuid?.() !== 0) return "needs root";
  const folder = mkdtempSync(join(tmpdir(), "banger-rights-"));
  try {
    const script = 'mknod "$0/b" b 8 0 && setfattr -n trusted.x -v 1 "$0" && chown 7 "$0"';
    const { status } = spawnSync("sh", ["-c", script, folder]);
    return status === 0 ? undefined : "needs the rights to make devices and trusted attributes";
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether temporary files lie on an ext4. */
export function isExt4(): boolean {
  return statfsSync(tmpdir()).type === ext4Magic;
}

/**
 * Unpacks an image into `target`, reads what is there, and removes it. As root: with `--rootless` umoci gives up
 * owners and devices by design, which would be another table.
 */
export async function runUmoci(layout: string, target: string): Promise<UmociResult> {
  const { exitCode, said } = await umoci(["raw", "unpack", "--image", `${layout}:latest`, target]);
  try {
    if (exitCode !== 0) return { refused: complaint(said, target) };
    const tree = readHostTree(target);
    const sparse = [...tree]
      .filter(([path, { size }]) => isSparse(target + path, size))
      .map(([path]) => path);
    return { tree, sparse: new Set(sparse) };
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

async function umoci(args: readonly string[]): Promise<{ exitCode: number | null; said: string }> {
  // The mode of what umoci makes on its own is whatever the umask leaves.
  const child = spawn("sh", ["-c", 'umask 022; exec umoci "$@"', "umoci", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => pieces.push(piece));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject);
  child.once("close", resolve);
  return { exitCode: await promise, said: Buffer.concat(pieces).toString("latin1") };
}

/** The last clause of umoci's own line: what went wrong, without where. */
function complaint(said: string, target: string): string {
  const lines = Buffer.from(said, "latin1").toString().split("\n");
  const panic = lines.find((text) => text.startsWith("panic: "));
  if (panic !== undefined) return panic;
  const line = lines.find((text) => text.includes("⨯"))?.replace(/^.*⨯ */, "") ?? "without a word";
  const clauses = line.replaceAll(target, "").trim().split(": ");
  const last = clauses.at(-1) ?? "";
  return last.includes(" ") ? last : clauses.slice(-2).join(": ");
}

function isSparse(path: string, size: bigint | undefined): boolean {
  if (size === undefined) return false;
  const stats = lstatSync(Buffer.from(path, "latin1"));
  return stats.isFile() && stats.blocks * 512 < stats.size;
}
