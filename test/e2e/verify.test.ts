import assert from "node:assert/strict";
import { closeSync, copyFileSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { runCli, startDaemonProcess, type CliResult, type DaemonProcess } from "../system/daemon-process.ts";
import { writeLayout } from "../system/debian-image.ts";
import { runProgram } from "../system/program.ts";
import { tarOf } from "../system/tar-of.ts";

let daemon: DaemonProcess;
let rootfs = "";
const whole = (): string => `${rootfs}.whole`;

before(async () => {
  daemon = await startDaemonProcess();
  const layer = await tarOf((put) => {
    put({ name: "etc/", type: "directory", mode: 0o755 });
    put(
      { name: "etc/motd", mode: 0o644, pax: { "SCHILY.xattr.user.note": "remember" } },
      "welcome\n".repeat(1000),
    );
    put({ name: "etc/link", type: "symlink", linkname: "motd" });
    put({ name: "bin/many\nlines" }, "odd");
  });
  const layout = join(daemon.home.folder, "layout");
  writeLayout(layout, [layer]);
  const pulled = await runCli(
    daemon,
    "image",
    "pull",
    `oci:${layout}:latest`,
    "--no-agents",
    "--name",
    "it",
    "--json",
  );
  assert.equal(pulled.status, 0, pulled.stderr);
  const image: unknown = JSON.parse(pulled.stdout);
  assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image);
  rootfs = String(image.rootfsPath);
  copyFileSync(rootfs, whole());
});
after(() => daemon[Symbol.asyncDispose]());

function verify(...args: readonly string[]): Promise<CliResult> {
  return runCli(daemon, "image", "verify", "it", ...args);
}

/** Where debugfs says that a path's inode, or its first block, begins in the file. */
const where = {
  inode: (path: string): number => {
    const said = runProgram("debugfs", ["-R", `imap ${path}`, rootfs]);
    const match = /located at block (\d+), offset 0x([0-9a-f]+)/.exec(said);
    assert.ok(match !== null, said);
    return Number(match[1]) * 4096 + Number.parseInt(match[2] ?? "", 16);
  },
  content: (path: string): number =>
    Number(
      runProgram("debugfs", ["-R", `blocks ${path}`, rootfs])
        .trim()
        .split(" ")[0],
    ) * 4096,
};

function spoiltAt(offset: number, ...args: readonly string[]): Promise<CliResult> {
  return spoilt(offset, () => verify(...args));
}

/** Changes one byte of the published file, reads it, and puts the whole file back. */
async function spoilt(offset: number, read: () => Promise<CliResult>): Promise<CliResult> {
  const file = openSync(rootfs, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  byte.writeUInt8(byte.readUInt8(0) ^ 0x01);
  writeSync(file, byte, 0, 1, offset);
  closeSync(file);
  try {
    return await read();
  } finally {
    copyFileSync(whole(), rootfs);
  }
}

/** Offset of some bytes in the file, from `from` on. */
function find(text: string, from: number, length = 4096): number {
  const file = openSync(rootfs, "r");
  const area = Buffer.alloc(length);
  readSync(file, area, 0, length, from);
  closeSync(file);
  const at = area.indexOf(text);
  assert.ok(at >= 0, `${text} is there`);
  return from + at;
}

test("an image that nobody touched verifies, in metadata and in full", async () => {
  for (const args of [[], ["--full"]]) {
    const result = await verify(...args);
    assert.equal(result.status, 0, result.stdout + result.stderr);
  }
});

test("one byte of an inode: the path is named", async () => {
  // Offset 2 of struct ext4_inode is i_uid.
  const result = await spoiltAt(where.inode("/etc/motd") + 2);
  assert.equal(result.status, 1);
  assert.match(result.stdout + result.stderr, /\/?etc\/motd.*(uid|inode|checksum)/);
});

test("one byte of a name in a directory block: the folder is named", async () => {
  const result = await spoiltAt(find("motd", where.content("/etc")));
  assert.equal(result.status, 1);
  assert.match(result.stdout + result.stderr, /\/?etc.*(directory|checksum|entries|name)/);
});

test("one byte of an attribute: path and attribute are named", async () => {
  const result = await spoiltAt(find("remember", where.inode("/etc/motd"), 256));
  assert.equal(result.status, 1);
  assert.match(result.stdout + result.stderr, /\/?etc\/motd.*(xattr|user\.note|checksum)/);
});

test("one byte of a file's data: only the full depth can see it, and names the path and its content", async () => {
  const at = where.content("/etc/motd") + 5;
  assert.equal((await spoiltAt(at)).status, 0);
  const result = await spoiltAt(at, "--full");
  assert.equal(result.status, 1);
  assert.match(result.stdout + result.stderr, /\/?etc\/motd.*content/);
});

test("one byte of a block bitmap, which only e2fsck looks at: what it says is told, and no success", async () => {
  const bitmap = /block bitmap at (\d+)/.exec(runProgram("debugfs", ["-R", "stats", rootfs]));
  const result = await spoiltAt(Number(bitmap?.[1]) * 4096);
  assert.equal(result.status, 1);
  assert.match(result.stdout, /^it reads as its layers say \(\d+ inodes\), and its file system is damaged$/m);
  assert.match(result.stdout, /^e2fsck: Block bitmap differences/m);
  assert.match(result.stderr, /banger image rm it/);
});

test("a superblock that is none: image, file and the next step are named, whatever reads it", async () => {
  // Offset 0x38 of struct ext4_super_block is s_magic.
  const next = "  → Delete it with `banger image rm it`, then pull it again.";
  const told = (result: CliResult): void => {
    assert.equal(result.status, 1, result.stdout);
    const [what = "", hint] = result.stderr.split("\n");
    assert.ok(what.startsWith(`banger: image it is damaged: ${rootfs}: superblock primary: `), what);
    assert.equal(hint, next);
  };
  told(await spoiltAt(1024 + 0x38));
  for (const command of ["files", "cat"]) {
    told(await spoilt(1024 + 0x38, () => runCli(daemon, "image", command, "it", "/etc/motd")));
  }
});

test("one byte of the stored tree: it says that it can't tell any more", async () => {
  const tree = join(rootfs, "..", "tree.index");
  const file = openSync(tree, "r+");
  writeSync(file, Buffer.from("X"), 0, 1, 100);
  closeSync(file);
  const next = "\n  → Delete it with `banger image rm it`, then pull it again.\n";
  for (const command of [["verify"], ["du"], ["diff", "it"]]) {
    const result = await runCli(daemon, "image", ...command, "it");
    assert.equal(result.status, 1);
    const what = `banger: image it is damaged: ${tree} is missing or damaged`;
    assert.equal(result.stderr, `${what}${next}`);
  }
});

test("files lists a folder and follows links, and cat prints a file byte by byte", async () => {
  const listed = await runCli(daemon, "image", "files", "it", "/etc", "--json");
  const { files }: { files?: readonly { name?: string; linkTarget?: string }[] } = JSON.parse(listed.stdout);
  assert.deepEqual(
    files?.map(({ name }) => name),
    ["link", "motd"],
  );
  const cat = await runCli(daemon, "image", "cat", "it", "/etc/link");
  assert.equal(cat.stdout, "welcome\n".repeat(1000));
  const odd = await runCli(daemon, "image", "cat", "it", "/bin/many\\x0alines");
  assert.equal(odd.stdout, "odd");
  const none = await runCli(daemon, "image", "cat", "it", "/etc/none");
  assert.equal(none.status, 3);
  assert.match(none.stderr, /none/);
  const folder = await runCli(daemon, "image", "cat", "it", "/etc");
  assert.equal(folder.status, 3);
  const nearest = [
    [none, "/etc"],
    [folder, "/etc"],
    [await runCli(daemon, "image", "files", "it", "/gone/for/good"), "/"],
    [await runCli(daemon, "image", "files", "it", "bin/../etc/link/x"), "/etc"],
  ] as const;
  for (const [{ stderr }, path] of nearest) {
    assert.match(stderr, /\n {2}→ List what is there: `banger image files it (?<path>.*)`\.\n$/);
    assert.ok(stderr.includes(` it ${path}\``), stderr);
  }
});
