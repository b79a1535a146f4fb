import { lstatSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { measure } from "./measure.ts";
import { notOnPath, together, type BenchPlace, type Tool } from "./tool.ts";

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

const imageBytes = 8 * 2 ** 30;

function emptyFile(path: string): string {
  writeFileSync(path, "");
  truncateSync(path, imageBytes);
  return path;
}

function unpack({ layout, work }: BenchPlace): ReturnType<typeof measure> {
  return measure("umoci", ["raw", "unpack", "--image", `${layout}:latest`, join(work, "tree")]);
}

const byHand: Tool = {
  name: "by-hand",
  slow: true,
  what: "skopeo copy, umoci unpack, mkfs.ext4 -d, debugfs over every entry",
  missing: () => notOnPath("skopeo", "umoci", "mkfs.ext4", "debugfs"),
  run: async (place) => {
    const { layout, work } = place;
    const [tree, image, script] = [join(work, "tree"), join(work, "image"), join(work, "script")];
    const copied = join(work, "copied");
    const skopeo = await measure("skopeo", ["copy", "-q", `oci:${layout}:latest`, `oci:${copied}:latest`]);
    const unpacked = await unpack({ ...place, layout: copied });
    emptyFile(image);
    const mkfs = await measure("mkfs.ext4", ["-F", "-q", "-d", tree, "-E", "root_owner=0:0", image]);
    writeFileSync(script, ownershipScript(tree));
    const debugfs = await measure("debugfs", ["-w", "-f", script, image]);
    return together([
      ["skopeo", skopeo],
      ["unpack", unpacked],
      ["mkfs", mkfs],
      ["debugfs", debugfs],
    ]);
  },
};

/** One that reads tarballs need not be the one on the PATH: docs/performance.md says how to come by it. */
const mke2fs = process.env["BENCH_MKE2FS"] ?? "mke2fs";

/** Reads a tarball as `-d` since 1.47.1, where libarchive is there. */
function tarballsMissing(): string | undefined {
  const banner = spawnSync(mke2fs, ["-V"], { encoding: "utf8" }).stderr ?? "";
  const [, major, minor, patch] = /(\d+)\.(\d+)\.(\d+)/.exec(banner)?.map(Number) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return `${mke2fs} does not run`;
  const old = major * 1e6 + minor * 1e3 + patch < 1_047_001;
  return old ? `mke2fs ${major}.${minor}.${patch} reads no tarballs; BENCH_MKE2FS names another` : undefined;
}

/** A tool that makes a file system of one merged tarball, compressed or not. */
function ofTarball(
  { pack, ...tool }: Pick<Tool, "name" | "what" | "image"> & { readonly pack: "-cf" | "-czf" },
  missing: Tool["missing"],
  words: Words,
): Tool {
  return {
    ...tool,
    slow: true,
    what: `umoci unpack, tar, ${tool.what}`,
    missing: () => notOnPath("umoci", "tar") ?? missing(),
    run: async (place) => {
      const unpacked = await unpack(place);
      const tarball = join(place.work, "merged.tar");
      const tree = join(place.work, "tree");
      const packed = await measure("tar", ["--xattrs", "--numeric-owner", "-C", tree, pack, tarball, "."]);
      const [program = "", ...args] = words(tarball, emptyFile(join(place.work, "image")));
      return together([
        ["unpack", unpacked],
        ["tar", packed],
        [tool.name, await measure(program, args)],
      ]);
    },
  };
}

type Words = (tarball: string, image: string) => readonly string[];

function ofMke2fs(tarball: string, image: string): readonly string[] {
  return [mke2fs, "-F", "-q", "-t", "ext4", "-d", tarball, image];
}

/** What others make of the same layers. Those that are not installed are left out, and named. */
export const peers: readonly Tool[] = [
  byHand,
  ofTarball({ name: "mke2fs-tar", what: "mke2fs -d of the tarball", pack: "-cf" }, tarballsMissing, ofMke2fs),
  // One image is enough for what it is to show: the same work with the inflating that layers take.
  ofTarball(
    { name: "mke2fs-tgz", what: "mke2fs -d of the tarball, which is gzip's", image: "big", pack: "-czf" },
    tarballsMissing,
    ofMke2fs,
  ),
  ofTarball(
    { name: "tar2ext4", what: "hcsshim's tar2ext4", pack: "-cf" },
    () => notOnPath("tar2ext4"),
    (tarball, image) => {
      return ["tar2ext4", "-i", tarball, "-o", image];
    },
  ),
  {
    name: "crane",
    slow: true,
    what: "crane export, tar, mkfs.ext4 -d",
    missing: () => notOnPath("crane", "skopeo", "tar", "mkfs.ext4"),
    run: async ({ layout, work }) => {
      const [archive, tree] = [join(work, "docker.tar"), join(work, "tree")];
      const skopeo = await measure("skopeo", [
        "copy",
        "-q",
        `oci:${layout}:latest`,
        `docker-archive:${archive}`,
      ]);
      const merge = 'mkdir "$2" && crane export - - <"$1" | tar -xpf - -C "$2"';
      const exported = await measure("bash", ["-o", "pipefail", "-c", merge, "bash", archive, tree]);
      const image = emptyFile(join(work, "image"));
      const mkfs = await measure("mkfs.ext4", ["-F", "-q", "-d", tree, image]);
      return together([
        ["skopeo", skopeo],
        ["export", exported],
        ["mkfs", mkfs],
      ]);
    },
  },
  {
    name: "oci2rootfs",
    slow: true,
    what: "oci2rootfs",
    missing: () => notOnPath("oci2rootfs"),
    run: async ({ layout, work }) => {
      return together([["oci2rootfs", await measure("oci2rootfs", [layout, join(work, "image")])]]);
    },
  },
];
