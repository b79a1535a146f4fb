import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chownSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import type { Ext4Inode } from "../../../src/ext4/read/inode.ts";
import { program, Scratch } from "../image-maker.ts";
import { noise } from "../sample-tree.ts";

/** Mounts on a loop device; false where this machine doesn't allow it. */
function mount(image: string, at: string): boolean {
  mkdirSync(at, { recursive: true });
  return (
    process.getuid?.() === 0 && spawnSync("mount", ["-o", "loop,acl,user_xattr", image, at]).status === 0
  );
}

/** What lstat(2) and listxattr(2) say, and what the reader says, in the same words. */
interface Facts {
  readonly mode: number;
  readonly owner: string;
  readonly size: number;
  readonly links: number;
  readonly inode: number;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly device: string;
  readonly content: string;
  readonly xattrs: readonly string[];
}

function factsOfMount(top: string): Map<string, Facts> {
  const out = new Map<string, Facts>();
  const pending = [""];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const at = join(top, path);
    const stat = lstatSync(at, { bigint: true });
    let content = "";
    if (stat.isDirectory()) for (const name of readdirSync(at)) pending.push(`${path}/${name}`);
    if (stat.isFile()) content = createHash("sha256").update(readFileSync(at)).digest("hex");
    if (stat.isSymbolicLink()) content = readlinkSync(at);
    const isDevice = stat.isCharacterDevice() || stat.isBlockDevice();
    // glibc's gnu_dev_major and gnu_dev_minor.
    const rdev = Number(stat.rdev);
    out.set(path, {
      mode: Number(stat.mode),
      owner: `${stat.uid}:${stat.gid}`,
      size: Number(stat.size),
      links: Number(stat.nlink),
      inode: Number(stat.ino),
      mtime: stat.mtimeNs,
      ctime: stat.ctimeNs,
      device: isDevice ? `${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}` : "",
      content,
      xattrs: [],
    });
  }
  for (const [path, xattrs] of xattrsOfMount(top)) {
    const facts = out.get(path);
    if (facts !== undefined) out.set(path, { ...facts, xattrs });
  }
  return out;
}

function xattrsOfMount(top: string): Map<string, string[]> {
  const dump = program("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", top]);
  const out = new Map<string, string[]>();
  for (const part of dump.split("\n\n")) {
    const [head, ...lines] = part.split("\n").filter((line) => line !== "");
    if (head === undefined) continue;
    out.set(
      head.slice(`# file: ${top}`.length),
      lines.sort((a, b) => (nameIn(a) < nameIn(b) ? -1 : 1)),
    );
  }
  return out;
}

function nameIn(line: string): string {
  return line.slice(0, line.indexOf("="));
}

const typeBits = {
  file: 0o100000,
  directory: 0o40000,
  symlink: 0o120000,
  character: 0o20000,
  block: 0o60000,
  fifo: 0o10000,
  socket: 0o140000,
};

function factsOfReader(image: Ext4Image): Map<string, Facts> {
  const out = new Map<string, Facts>();
  const nanoseconds = (time: Ext4Inode["mtime"]): bigint =>
    BigInt(time.seconds) * 10n ** 9n + BigInt(time.nanoseconds);
  const pending: { readonly path: string; readonly number: number }[] = [{ path: "", number: 2 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path } = next;
    const inode = image.inode(next.number);
    let content = "";
    if (inode.kind === "directory") {
      for (const { name, inode: number } of image.entries(inode))
        pending.push({ path: `${path}/${name}`, number });
    }
    if (inode.kind === "file") {
      content = createHash("sha256")
        .update(image.read(inode, 0, inode.size))
        .digest("hex");
    }
    if (inode.kind === "symlink") content = image.linkTarget(inode);
    out.set(path, {
      mode: typeBits[inode.kind] | inode.mode,
      owner: `${inode.uid}:${inode.gid}`,
      size: inode.size,
      links: inode.linkCount,
      inode: inode.number,
      mtime: nanoseconds(inode.mtime),
      ctime: nanoseconds(inode.ctime),
      device: inode.kind === "character" || inode.kind === "block" ? `${inode.major}:${inode.minor}` : "",
      content,
      xattrs: image.xattrs(inode).map(({ name, value }) => `${name}=0x${value.toString("hex")}`),
    });
  }
  return out;
}

/** Lets the kernel make what mke2fs and debugfs can't, or not like it does. */
function populate(top: string, extents: boolean): void {
  const at = (name: string): string => join(top, name);
  const many = at("many");
  mkdirSync(many);
  for (let i = 0; i < 9000; i++) writeFileSync(join(many, `name-${i}`), "");
  for (let i = 0; i < 9000; i += 3) unlinkSync(join(many, `name-${i}`));
  writeFileSync(at("file"), noise(300_000), { mode: 0o4711 });
  chownSync(at("file"), 100_000, 4_000_000_000);
  linkSync(at("file"), at("hard"));
  symlinkSync("fast", at("fast"));
  symlinkSync("s".repeat(1000), at("slow"));
  lchownSync(at("slow"), 7, 8);
  for (const seconds of [-2_147_483_648, -1, 0, 2_147_483_647, 2_147_483_648, 15_032_385_535]) {
    writeFileSync(at(`time${seconds}`), "");
    lutimesSync(at(`time${seconds}`), seconds, seconds);
  }
  program("mknod", [at("old-device"), "c", "255", "255"]);
  program("mknod", [at("new-device"), "b", "259", "1048575"]);
  program("mknod", [at("fifo"), "p"]);
  program("setfacl", ["-m", "u:1000:rwx,u:70000:r,g:5:x", at("file")]);
  program("setfacl", ["-d", "-m", "u:1000:rwx", many]);
  for (let i = 0; i < 20; i++) program("setfattr", ["-n", `user.many${i}`, "-v", "v".repeat(i), at("file")]);
  program("setfattr", ["-n", "trusted.inside", "-v", "0x0001ff", at("hard")]);
  program("setfattr", ["-n", "user.small", "-v", "small", at("time0")]);
  program("setfattr", ["-h", "-n", "trusted.link", "-v", "of a link", at("slow")]);
  fragment(at("fragmented"));
  if (extents) allocate(at);
  truncateSync(at("hard"), 250_001);
}

/** With block maps the kernel has no unwritten blocks, so refuses. */
function allocate(at: (name: string) => string): void {
  program("fallocate", ["-l", "200000", at("unwritten")]);
  program("fallocate", ["-p", "-o", "4096", "-l", "100000", at("file")]);
  writeFileSync(at("beyond"), "size ends before its blocks");
  program("fallocate", ["-n", "-l", "500000", at("beyond")]);
}

function fragment(path: string): void {
  const fd = openSync(path, "w");
  for (let i = 0; i < 3000; i++) writeSync(fd, "x", i * 8192);
  closeSync(fd);
}

for (const mkfs of ["-b 4096", "-b 1024 -O ^metadata_csum", "-b 1024 -O ^extents,^64bit"]) {
  test(`reads what the kernel wrote to an image made with ${mkfs} as the kernel does`, (t) => {
    using scratch = new Scratch();
    const path = scratch.file("image.ext4");
    const top = scratch.file("mnt");
    writeFileSync(path, "");
    truncateSync(path, 192 * 1024 * 1024);
    program("mke2fs", ["-q", "-F", "-t", "ext4", "-N", "40000", ...mkfs.split(" "), path]);
    if (!mount(path, top)) return t.skip("needs root and a loop device");
    let expected: Map<string, Facts>;
    try {
      populate(top, !mkfs.includes("^extents"));
      expected = factsOfMount(top);
    } finally {
      program("umount", [top]);
    }
    using image = Ext4Image.open(path);
    const found = factsOfReader(image);
    assert.ok(expected.size > 6000);
    assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
    for (const [name, facts] of expected) assert.deepEqual(found.get(name), facts, name);
  });
}
