import { spawnSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  ftruncateSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileInode, Inode } from "../../src/layers/root-tree.ts";
import type { BuiltTree } from "./tree-builder.ts";

/** A folder of a test's, gone at the end of its scope. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "banger-ext4-"));

  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Runs an e2fsprogs program; debugfs reports errors on stderr alone, so those count as well. */
export function program(name: string, args: readonly string[], accepted: readonly number[] = [0]): string {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const env = { PATH: path, LC_ALL: "C", TZ: "UTC" };
  const result = spawnSync(name, args, { env, encoding: "latin1", maxBuffer: 1 << 28 });
  if (result.error !== undefined) throw result.error;
  const complaint = result.stderr.replace(/^(?:debugfs|e2fsck|mke2fs) \d.*\n/gmu, "");
  if (!accepted.includes(result.status ?? -1) || (name === "debugfs" && complaint !== "")) {
    throw new Error(
      `${name} ${args.join(" ")} ended with ${result.status}: ${result.stdout.slice(-500)}${complaint}`,
    );
  }
  return result.stdout;
}

/** Runs commands of debugfs on an image, writing. */
export function debugfs(scratch: Scratch, image: string, commands: readonly string[]): string {
  const script = scratch.file("debugfs.script");
  writeFileSync(script, `${commands.join("\n")}\n`, "latin1");
  return program("debugfs", ["-w", "-f", script, image]);
}

export interface MakeOptions {
  readonly sizeMiB?: number;
  /** More arguments for mke2fs: features, block and inode size. */
  readonly mkfs?: readonly string[];
}

/**
 * An image of the tree, made by mke2fs and debugfs alone and without root: contents, folders and links are staged
 * on the host, everything else goes through debugfs. For tame names only, and symlinks of one name.
 */
export function makeImage(scratch: Scratch, built: BuiltTree, options: MakeOptions = {}): string {
  const staging = scratch.file("staging");
  const image = scratch.file("image.ext4");
  rmSync(staging, { recursive: true, force: true });
  rmSync(image, { force: true });
  stage(staging, built);
  makeImageOf(staging, image, options);
  const small = options.mkfs?.includes("128") ?? false;
  debugfs(scratch, image, [...metadataCommands(scratch, built.tree.root, small)]);
  program("e2fsck", ["-fn", image]);
  return image;
}

/** An image of a folder of the host's. */
export function makeImageOf(
  staging: string,
  image: string,
  { sizeMiB = 16, mkfs = [] }: MakeOptions = {},
): void {
  writeFileSync(image, "");
  truncateSync(image, sizeMiB * 1024 * 1024);
  program("mke2fs", ["-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", "-d", staging, ...mkfs, image]);
}

function stage(top: string, { tree, stored }: BuiltTree): void {
  const places = new Map<Inode, string>();
  const put = (path: string, inode: Inode): void => {
    const known = places.get(inode);
    if (known !== undefined) return linkSync(known, path);
    places.set(inode, path);
    switch (inode.kind) {
      case "directory":
        mkdirSync(path);
        for (const [name, child] of inode.children) put(join(path, name), child);
        return;
      case "file":
        return stageFile(path, inode, stored.get(inode) ?? Buffer.alloc(0));
      case "symlink":
        return symlinkSync(inode.target, path);
      default:
        // mknod of debugfs makes the rest, as root or not.
        places.delete(inode);
    }
  };
  put(top, tree.root);
}

function stageFile(path: string, inode: FileInode, stored: Buffer): void {
  const fd = openSync(path, "wx");
  let done = 0;
  for (const { offset, length } of inode.content.segments ?? [{ offset: 0, length: inode.size }]) {
    writeSync(fd, stored, done, length, offset);
    done += length;
  }
  ftruncateSync(fd, inode.size);
  closeSync(fd);
}

const typeBits = {
  file: 0o100000,
  directory: 0o40000,
  symlink: 0o120000,
  character: 0o20000,
  block: 0o60000,
  fifo: 0o10000,
};

function* metadataCommands(scratch: Scratch, root: Inode, small: boolean): Generator<string> {
  let values = 0;
  const seen = new Set<Inode>();
  const pending: { readonly path: string; readonly inode: Inode }[] = [{ path: "/", inode: root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, inode } = next;
    if (seen.has(inode)) continue;
    seen.add(inode);
    yield* nodeCommands(path, inode);
    const { seconds, nanoseconds } = inode.mtime;
    yield `sif "${path}" uid ${inode.uid}`;
    yield `sif "${path}" gid ${inode.gid}`;
    yield `sif "${path}" mode 0${(typeBits[inode.kind] | inode.mode).toString(8)}`;
    // The low 32 bits, then what extends them: kernel fs/ext4/ext4.h, `ext4_encode_extra_time`.
    yield `sif "${path}" mtime @${seconds >>> 0}`;
    const epoch = ((seconds - (seconds | 0)) / 2 ** 32) & 3;
    if (!small) yield `sif "${path}" mtime_extra ${nanoseconds * 4 + epoch}`;
    for (const { name, value } of inode.xattrs) {
      const at = scratch.file(`value${values++}`);
      writeFileSync(at, value);
      yield `ea_set -f ${at} "${path}" ${name}`;
    }
    if (inode.kind !== "directory") continue;
    for (const [name, child] of inode.children)
      pending.push({ path: path === "/" ? `/${name}` : `${path}/${name}`, inode: child });
  }
}

/** mknod takes no path, so the folder is entered first. */
function* nodeCommands(path: string, inode: Inode): Generator<string> {
  if (inode.kind !== "fifo" && inode.kind !== "character" && inode.kind !== "block") return;
  const slash = path.lastIndexOf("/");
  yield `cd "${path.slice(0, slash) || "/"}"`;
  const name = path.slice(slash + 1);
  if (inode.kind === "fifo") yield `mknod ${name} p`;
  else yield `mknod ${name} ${inode.kind === "block" ? "b" : "c"} ${inode.major} ${inode.minor}`;
  yield "cd /";
}
