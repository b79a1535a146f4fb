import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { link, lstat, mkdir, open, readFile, readlink, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pack } from "tar-stream";
import { bytesToBuffer } from "../../src/base/bytes.ts";
import { run } from "../../src/base/exec.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import type { ArchiveEntry } from "../../src/layers/tar/entry.ts";
import { readTar } from "./read-tar.ts";

/** Archives made by others, compared with the tree that they were made of. */

let folder: TempDir;
const isRoot = process.getuid?.() === 0;
const longName = `long-${"n".repeat(200)}`;
const deepPath = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(90)}`;

before(async () => {
  folder = await makeTempDir("banger-foreign-");
  await makePlainTree(join(folder.path, "plain"));
  await makePlainTree(join(folder.path, "rich"));
  await addRichParts(join(folder.path, "rich"));
});
after(() => folder[Symbol.asyncDispose]());

async function program(name: string, ...args: readonly string[]): Promise<Buffer> {
  const signal = new AbortController().signal;
  const result = await run(name, args, { op: "test", signal, timeoutMs: 60_000, maxOutputBytes: 1 << 26 });
  assert.equal(result.exitCode, 0, Buffer.from(result.stderr).toString());
  return Buffer.from(result.stdout);
}

/** What every format holds. */
async function makePlainTree(at: string): Promise<void> {
  await mkdir(join(at, "dir/sub"), { recursive: true, mode: 0o750 });
  await writeFile(join(at, "dir/empty"), "");
  await writeFile(join(at, "dir/block"), "b".repeat(512));
  await writeFile(join(at, "dir/odd"), "o".repeat(513), { mode: 0o755 });
  await writeFile(join(at, "dir/sub/big"), Buffer.alloc(300_000, "big"));
  await link(join(at, "dir/odd"), join(at, "dir/same"));
  await symlink("../elsewhere", join(at, "dir/link"));
  await utimes(join(at, "dir/odd"), 1, 1_000_000_000);
}

/** What takes GNU's or PAX's extensions. */
async function addRichParts(at: string): Promise<void> {
  await mkdir(join(at, deepPath), { recursive: true });
  await writeFile(join(at, deepPath, "g".repeat(90)), "deep");
  await writeFile(join(at, longName), "long");
  await writeFile(Buffer.from(`${at}/bytes-\xff\xfe\n`, "latin1"), "bytes");
  await symlink("t".repeat(3000), join(at, "long-link"));
  await writeFile(join(at, "old"), "");
  await utimes(join(at, "old"), -12.5, -12.5);
  const sparse = await open(join(at, "sparse"), "w");
  for (let i = 1; i <= 30; i++) await sparse.write(Buffer.alloc(4096, 64 + i), 0, 4096, i * 131_072);
  await sparse.truncate(8 << 20);
  await sparse.close();
  await program("mkfifo", join(at, "pipe"));
  if (!isRoot) return;
  await program("mknod", join(at, "null"), "c", "1", "3");
  await program("mknod", join(at, "disk"), "b", "259", "70000");
  await program("chown", "4000000:5000000", join(at, longName));
  await program("chmod", "6755", join(at, longName));
}

const kinds: Readonly<Record<ArchiveEntry["kind"], number>> = {
  file: 0o100000,
  hardlink: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
};

interface Expectation {
  readonly nanoseconds: boolean;
}

async function assertIsTree(archive: Buffer, root: string, expected: Expectation): Promise<void> {
  const { entries } = readTar(archive);
  assert.ok(entries.length >= 8);
  for (const entry of entries) {
    const path = Buffer.concat([Buffer.from(`${root}/`), bytesToBuffer(entry.path)]);
    const stat = await lstat(path, { bigint: true });
    const where = JSON.stringify(entry.path);
    assert.equal(Number(stat.mode) & 0o170000, kinds[entry.kind], where);
    assert.equal(entry.mode, Number(stat.mode) & 0o7777, where);
    assert.deepEqual([entry.uid, entry.gid], [Number(stat.uid), Number(stat.gid)], where);
    const ns = BigInt(entry.mtime.seconds) * 1_000_000_000n + BigInt(entry.mtime.nanoseconds);
    if (expected.nanoseconds) assert.equal(ns, stat.mtimeNs, where);
    else assert.equal(BigInt(entry.mtime.seconds), floorSeconds(stat.mtimeNs), where);
    await assertOwnPart(entry, path, archive, where);
  }
}

function floorSeconds(ns: bigint): bigint {
  return (ns - (((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n;
}

async function assertOwnPart(
  entry: ArchiveEntry,
  path: Buffer,
  archive: Buffer,
  where: string,
): Promise<void> {
  if (entry.kind === "symlink") assert.equal(entry.target, await readlink(path, "latin1"), where);
  else if (entry.kind === "character") assert.deepEqual([entry.major, entry.minor], [1, 3]);
  else if (entry.kind === "block") assert.deepEqual([entry.major, entry.minor], [259, 70_000]);
  else if (entry.kind === "file") {
    const whole = Buffer.alloc(entry.size);
    let at = entry.offset;
    for (const { offset, length } of entry.segments ?? [{ offset: 0, length: entry.size }]) {
      archive.copy(whole, offset, at, at + length);
      at += length;
    }
    assert.equal(at, entry.offset + entry.storedBytes);
    assert.equal(sha256(whole), sha256(await readFile(path)), where);
  }
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function gnuTar(tree: string, ...options: readonly string[]): Promise<Buffer> {
  return program(
    "tar",
    "-C",
    join(folder.path, tree),
    "--sort=name",
    "--numeric-owner",
    ...options,
    "-cf",
    "-",
    ".",
  );
}

for (const format of ["v7", "ustar", "oldgnu", "gnu", "posix"]) {
  test(`GNU tar --format=${format}`, async () => {
    const archive = await gnuTar("plain", `--format=${format}`);
    await assertIsTree(archive, join(folder.path, "plain"), { nanoseconds: format === "posix" });
  });
}

for (const options of [
  ["--format=gnu"],
  ["--format=oldgnu", "--sparse"],
  ["--format=gnu", "--sparse"],
  ["--format=posix"],
  ["--format=posix", "--sparse", "--sparse-version=0.0"],
  ["--format=posix", "--sparse", "--sparse-version=0.1"],
  ["--format=posix", "--sparse", "--sparse-version=1.0"],
]) {
  test(`GNU tar ${options.join(" ")}: long names, bytes, holes, devices, owners, times before 1970`, async () => {
    const archive = await gnuTar("rich", ...options);
    await assertIsTree(archive, join(folder.path, "rich"), {
      nanoseconds: options.includes("--format=posix"),
    });
    const sparse = readTar(archive).entries.find(({ path }) => path === "./sparse");
    assert.ok(sparse?.kind === "file");
    assert.equal(sparse.segments?.length, options.includes("--sparse") ? 30 : undefined);
  });
}

test("this comparison can fail", async () => {
  const archive = await gnuTar("plain", "--format=gnu", "--mode=0600");
  await assert.rejects(assertIsTree(archive, join(folder.path, "plain"), { nanoseconds: false }));
});

test("tar-stream: PAX names and xattrs", async () => {
  const out = pack();
  const pieces: Buffer[] = [];
  out.entry({ name: "dir", type: "directory", mode: 0o755 });
  out.entry({ name: `dir/ünï/${"x".repeat(300)}`, mtime: new Date(1_234_567_000) }, "content");
  out.entry({ name: "caps", pax: { "SCHILY.xattr.user.mime": "text/plain" } }, "c");
  out.entry({ name: "link", type: "symlink", linkname: "t".repeat(200) });
  out.finalize();
  for await (const piece of out) {
    assert.ok(piece instanceof Uint8Array);
    pieces.push(Buffer.from(piece));
  }
  const { entries, contents } = readTar(Buffer.concat(pieces));
  const [directory, long, caps, link] = entries;
  assert.equal(directory?.kind, "directory");
  assert.equal(bytesToBuffer(long?.path ?? directory.path).toString("utf8"), `dir/ünï/${"x".repeat(300)}`);
  assert.equal(long?.mtime.seconds, 1_234_567);
  assert.equal(contents.get(2)?.toString(), "content");
  assert.equal(caps?.xattrs[0]?.value.toString(), "text/plain");
  assert.ok(link?.kind === "symlink" && link.target.length === 200);
});
