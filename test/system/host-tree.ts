import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  type BigIntStats,
} from "node:fs";

/** One name of a tree on this machine, as the kernel tells it. Paths are latin1: one character a byte. */
export interface HostEntry {
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Of files and links; a directory's is the host file system's own affair. */
  readonly size: bigint | undefined;
  /** Of everything but directories, for the same reason. */
  readonly links: bigint | undefined;
  readonly rdev: bigint | undefined;
  readonly target: string | undefined;
  readonly sha256: string | undefined;
  /** First path, in byte order, of the same inode. */
  readonly sameAs: string;
  readonly xattrs: string;
}

function typeOf(stats: BigIntStats): string {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "character";
  if (stats.isBlockDevice()) return "block";
  if (stats.isFIFO()) return "fifo";
  return "socket";
}

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** The xattrs of every path below `root`, by one run of getfattr: `path` → sorted `name=0xhex` lines. */
function xattrsBelow(root: string): ReadonlyMap<string, string> {
  const args = [
    "--absolute-names",
    "--recursive",
    "--no-dereference",
    "--dump",
    "--match=-",
    "--encoding=hex",
    root,
  ];
  const { stdout, stderr } = spawnSync("getfattr", ["-P", ...args], { maxBuffer: 1 << 28 });
  if (stdout === null) throw new Error(`getfattr failed: ${String(stderr)}`);
  const found = new Map<string, string>();
  for (const block of stdout.toString("latin1").split("\n\n")) {
    const [head, ...lines] = block.split("\n");
    if (head === undefined || !head.startsWith("# file: ")) continue;
    // getfattr writes \ooo for the bytes that it can't show.
    const path = head.slice("# file: ".length).replace(/\\([0-7]{3})/g, (_all, octal: string) => {
      return String.fromCharCode(Number.parseInt(octal, 8));
    });
    found.set(
      path,
      lines
        .filter((line) => line !== "")
        .sort()
        .join("\n"),
    );
  }
  return found;
}

const piece = Buffer.allocUnsafe(1 << 20);

/** In pieces: a file may be larger than a Buffer. */
function sha256Of(path: Buffer): string {
  const hash = createHash("sha256");
  const fd = openSync(path, "r");
  try {
    for (let got = readSync(fd, piece); got > 0; got = readSync(fd, piece))
      hash.update(piece.subarray(0, got));
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}

/** Every name below `root`, itself included as `/`. */
export function readHostTree(root: string): ReadonlyMap<string, HostEntry> {
  const xattrs = xattrsBelow(root);
  const firstOf = new Map<string, string>();
  const tree = new Map<string, HostEntry>();
  const visit = (path: string): void => {
    const full = latin1(root + path);
    const stats = lstatSync(full, { bigint: true });
    const type = typeOf(stats);
    const inode = `${stats.dev}:${stats.ino}`;
    const name = path === "" ? "/" : path;
    if (!firstOf.has(inode)) firstOf.set(inode, name);
    const device = type === "character" || type === "block";
    tree.set(name, {
      type,
      mode: Number(stats.mode) & 0o7777,
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeNs: stats.mtimeNs,
      size: type === "file" || type === "symlink" ? stats.size : undefined,
      links: type === "directory" ? undefined : stats.nlink,
      rdev: device ? stats.rdev : undefined,
      target: type === "symlink" ? readlinkSync(full, "latin1") : undefined,
      sha256: type === "file" ? sha256Of(full) : undefined,
      sameAs: firstOf.get(inode) ?? name,
      xattrs: xattrs.get(root + path) ?? "",
    });
    if (type !== "directory") return;
    for (const child of readdirSync(full, "latin1").sort()) visit(`${path}/${child}`);
  };
  visit("");
  return tree;
}

/** A line for each field of each path in which the trees differ. */
export function differences(
  expected: ReadonlyMap<string, HostEntry>,
  found: ReadonlyMap<string, HostEntry>,
): readonly string[] {
  const lines: string[] = [];
  for (const [path, want] of expected) {
    const have = found.get(path);
    if (have === undefined) {
      lines.push(`${path}: missing`);
      continue;
    }
    const pairs: readonly (readonly [string, unknown, unknown])[] = [
      ["type", want.type, have.type],
      ["mode", want.mode, have.mode],
      ["uid", want.uid, have.uid],
      ["gid", want.gid, have.gid],
      ["mtime", want.mtimeNs, have.mtimeNs],
      ["size", want.size, have.size],
      ["links", want.links, have.links],
      ["rdev", want.rdev, have.rdev],
      ["target", want.target, have.target],
      ["content", want.sha256, have.sha256],
      ["same inode as", want.sameAs, have.sameAs],
      ["xattrs", want.xattrs, have.xattrs],
    ];
    for (const [field, a, b] of pairs)
      if (a !== b) lines.push(`${path}: ${field} ${String(a)} → ${String(b)}`);
  }
  for (const path of found.keys()) if (!expected.has(path)) lines.push(`${path}: extra`);
  return lines;
}
