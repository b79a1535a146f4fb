import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, lstatSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { digestOf } from "../../../src/base/digest.ts";
import { BangerError, hasReason, type Reason } from "../../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../../src/base/files.ts";
import { defaultLimits, type Limits } from "../../../src/base/limits.ts";
import { inflate, xzCommands } from "../../../src/kernel/archive/inflate.ts";
import { unpackOrInflate, unpackTars } from "../../../src/kernel/archive/unpack.ts";
import {
  device,
  dir,
  fifo,
  file,
  hardlink,
  header,
  paxSparse,
  oldSparse,
  symlink,
  tar,
} from "../../layers/tar-builder.ts";
import { debOf } from "./ar-builder.ts";

const never = new AbortController().signal;

interface Unpacking {
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
  readonly wanted?: (path: string) => boolean;
}

async function jobOf(folder: TempDir, bytes: Buffer, { limits, signal = never }: Unpacking = {}) {
  const path = join(folder.path, "archive");
  await writeFile(path, bytes);
  const all = { ...defaultLimits, ...limits };
  return { path, digest: digestOf(bytes), subject: "the archive", signal, limits: all };
}

/** Unpacks into `<folder>/tree`; what lies there then, by its path. */
async function unpack(folder: TempDir, bytes: Buffer, options: Unpacking = {}): Promise<readonly string[]> {
  const { wanted = () => true } = options;
  const tree = join(folder.path, "tree");
  await unpackTars([await jobOf(folder, bytes, options)], tree, wanted);
  return globSync("**", { cwd: tree, exclude: (name) => name === "." })
    .filter((name) => name !== ".")
    .toSorted();
}

const xz = (bytes: Buffer): Buffer => execFileSync("xz", ["-c"], { input: bytes });

test("an archive is unpacked, however it is compressed", async () => {
  const archive = tar(
    dir("a/"),
    file("a/b", "content"),
    file("c/d/e", "x"),
    hardlink("a/l", "a/b"),
    symlink("s", "/etc"),
  );
  const compressions = {
    none: archive,
    gzip: gzipSync(archive),
    zstd: zstdCompressSync(archive),
    xz: xz(archive),
  };
  for (const [name, bytes] of Object.entries(compressions)) {
    await using folder = await makeTempDir("banger-unpack-");
    assert.deepEqual(await unpack(folder, bytes), ["a", "a/b", "a/l", "c", "c/d", "c/d/e"], name);
    const at = (path: string): string => join(folder.path, "tree", path);
    assert.equal(readFileSync(at("a/b"), "utf8"), "content");
    assert.equal(lstatSync(at("a/l")).ino, lstatSync(at("a/b")).ino);
    assert.equal(lstatSync(at("a/b")).mode & 0o7777, 0o644);
    assert.equal(lstatSync(at("a")).mode & 0o7777, 0o755);
  }
});

test("only what is wanted is unpacked, and sparse files have their holes", async () => {
  await using folder = await makeTempDir("banger-unpack-");
  const pieces = [
    { offset: 1024, content: "abc" },
    { offset: 4096, content: "def" },
  ];
  const archive = tar(
    file("etc/passwd", "x"),
    device("dev/null", "character", 1, 3),
    symlink("out", "/"),
    oldSparse("k/old", 10_000, pieces),
    paxSparse("1.0", "k/new", 10_000, pieces),
  );
  const names = await unpack(folder, archive, { wanted: (path) => path.startsWith("k") });
  assert.deepEqual(names, ["k", "k/new", "k/old"]);
  const expected = Buffer.alloc(10_000);
  expected.write("abc", 1024);
  expected.write("def", 4096);
  for (const name of ["k/old", "k/new"]) {
    assert.deepEqual(readFileSync(join(folder.path, "tree", name)), expected, name);
  }
});

test("hostile archives are refused, and nothing comes to lie outside", async () => {
  const up = "../".repeat(20);
  const table: Readonly<Record<string, readonly [Reason, RegExp, Buffer, Unpacking?]>> = {
    "a path that leads out": ["KERNEL_SOURCE_INVALID", /leads out/, tar(file("../evil", "x"))],
    "one far out": ["KERNEL_SOURCE_INVALID", /leads out/, tar(file(`${up}tmp/evil`, "x"))],
    "one that leads out in the middle": ["KERNEL_SOURCE_INVALID", /leads out/, tar(file("a/../../evil"))],
    "one that leads out and is not wanted": [
      "KERNEL_SOURCE_INVALID",
      /leads out/,
      tar(file("../evil", "x")),
      { wanted: () => false },
    ],
    "a file through a link": [
      "KERNEL_SOURCE_INVALID",
      /a folder for some entries/,
      tar(symlink("a", "/tmp"), file("a/evil", "x")),
    ],
    "a file below a file": [
      "KERNEL_SOURCE_INVALID",
      /a folder for some/,
      tar(file("a", "x"), file("a/b", "x")),
    ],
    "a folder over a file": ["KERNEL_SOURCE_INVALID", /a folder for some/, tar(file("a", "x"), dir("a/"))],
    "a file over a link": [
      "KERNEL_SOURCE_INVALID",
      /twice/,
      tar(symlink("a", "/etc/passwd"), file("a", "x")),
    ],
    "a link over a file": ["KERNEL_SOURCE_INVALID", /twice/, tar(file("a"), symlink("a", "/etc/passwd"))],
    "a file over a folder": ["KERNEL_SOURCE_INVALID", /twice/, tar(dir("a/"), file("a"))],
    "a hard link out": ["KERNEL_SOURCE_INVALID", /hard link/, tar(hardlink("a", "/etc/passwd"))],
    "a hard link far out": ["KERNEL_SOURCE_INVALID", /hard link/, tar(hardlink("a", `${up}etc/passwd`))],
    "a hard link to a link": [
      "KERNEL_SOURCE_INVALID",
      /hard link/,
      tar(symlink("s", "/"), hardlink("a", "s")),
    ],
    "a device": ["KERNEL_SOURCE_INVALID", /is no file but a device/, tar(device("a", "block", 8, 0))],
    "a FIFO": ["KERNEL_SOURCE_INVALID", /is no file but a FIFO/, tar(fifo("a"))],
    "a whiteout": ["KERNEL_SOURCE_INVALID", /whiteout/, tar(file("a/.wh.b"))],
    "a wrong checksum": ["KERNEL_SOURCE_INVALID", /checksum/, header({ name: "a", checksum: 1 })],
    "an unknown type": ["KERNEL_SOURCE_INVALID", /type flag/, tar(header({ name: "a", type: "Z" }))],
    "cut short": ["KERNEL_SOURCE_INVALID", /cut short/, tar(file("a", Buffer.alloc(5000))).subarray(0, 2000)],
    "gzip cut short": ["KERNEL_SOURCE_INVALID", /inflate/, gzipSync(tar(file("a", "x"))).subarray(0, -9)],
    "xz cut short": ["KERNEL_SOURCE_INVALID", /inflate/, xz(tar(file("a", "x"))).subarray(0, -9)],
    "garbage in xz": [
      "KERNEL_SOURCE_INVALID",
      /inflate/,
      Buffer.concat([xz(tar(file("a", "x"))).subarray(0, 40), Buffer.alloc(200, 7)]),
    ],
    "too many files": [
      "LIMIT_ENTRIES",
      /more than the 2 files/,
      tar(file("a"), file("b"), file("c")),
      { limits: { kernelFiles: 2 } },
    ],
    "too many bytes": [
      "LIMIT_INFLATED",
      /than the 4096 bytes/,
      tar(file("a", Buffer.alloc(5000))),
      { limits: { kernelBytes: 4096 } },
    ],
    "too many bytes in gzip": [
      "LIMIT_INFLATED",
      /more than the 4096 bytes/,
      gzipSync(tar(file("a", Buffer.alloc(1_000_000)))),
      { limits: { kernelBytes: 4096 } },
    ],
    "too many bytes in xz": [
      "LIMIT_INFLATED",
      /more than the 4096 bytes/,
      xz(tar(file("a", Buffer.alloc(1_000_000)))),
      { limits: { kernelBytes: 4096 } },
    ],
    "many bytes of a hole": [
      "LIMIT_INFLATED",
      /than the/,
      tar(oldSparse("a", 2 ** 33, [{ offset: 0, content: "x" }])),
      { limits: { kernelBytes: 2 ** 32 } },
    ],
  };
  for (const [what, [reason, message, bytes, options]] of Object.entries(table)) {
    await using folder = await makeTempDir("banger-unpack-");
    await assert.rejects(
      unpack(folder, bytes, options),
      (error: unknown) => {
        assert.ok(hasReason(error, reason), `${what}: ${String(error)}`);
        assert.match(error.message, message, what);
        assert.ok(error.message.startsWith("the archive"), `${what}: ${error.message}`);
        assert.equal(error.facts["layer"], undefined);
        return true;
      },
      what,
    );
    const outside = globSync("*", { cwd: folder.path }).toSorted();
    assert.deepEqual(outside, ["archive", "tree"], what);
  }
  assert.equal(existsSync("/tmp/evil"), false);
});

test("a terminal escape in a name does not reach the message", async () => {
  await using folder = await makeTempDir("banger-unpack-");
  await assert.rejects(unpack(folder, tar(fifo("a\u001b[2J"))), (error: unknown) => {
    return error instanceof BangerError && error.message.includes("\\x1b[2J");
  });
});

test("a file alone is told from an archive", async () => {
  const kernel = Buffer.alloc(5000, "k");
  for (const bytes of [kernel, gzipSync(kernel), zstdCompressSync(kernel), xz(kernel)]) {
    await using folder = await makeTempDir("banger-unpack-");
    const opened = await unpackOrInflate(await jobOf(folder, bytes), folder.path, () => true);
    assert.ok(opened.kind === "file");
    assert.deepEqual(readFileSync(opened.path), kernel);
  }
  for (const bytes of [tar(file("a", "x")), xz(tar(file("a", "x")))]) {
    await using folder = await makeTempDir("banger-unpack-");
    const opened = await unpackOrInflate(await jobOf(folder, bytes), folder.path, () => true);
    assert.ok(opened.kind === "tar");
    assert.deepEqual([...opened.unpacked.made.keys()], ["a"]);
  }
  for (const bytes of [Buffer.from("short"), Buffer.alloc(0)]) {
    await using folder = await makeTempDir("banger-unpack-");
    await assert.rejects(
      unpackOrInflate(await jobOf(folder, bytes), folder.path, () => true),
      (error) => hasReason(error, "KERNEL_SOURCE_INVALID"),
    );
  }
});

test("an archive that anybody could have made is unpacked inside of its folder, or refused", async () => {
  const name = fc
    .array(fc.constantFrom("a", "b", "..", ".", "", ".wh.a", "\u001b"), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join("/"));
  const entry = fc.oneof(
    fc.tuple(name, fc.string()).map(([path, content]) => file(path, content)),
    name.map((path) => dir(path)),
    fc.tuple(name, name).map(([path, target]) => symlink(path, target)),
    fc.tuple(name, name).map(([path, target]) => hardlink(path, target)),
    name.map((path) => fifo(path)),
  );
  await using folder = await makeTempDir("banger-unpack-");
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
      const base = join(folder.path, String(++run));
      const job = await jobOf(folder, tar(...entries));
      try {
        const unpacked = await unpackTars([job], base, () => true);
        const there = globSync("**/*", { cwd: base, withFileTypes: true });
        assert.ok(there.every((found) => !found.isSymbolicLink()));
        assert.ok(there.length <= unpacked.made.size);
      } catch (error) {
        assert.ok(hasReason(error, "KERNEL_SOURCE_INVALID"), String(error));
      }
      assert.deepEqual(
        globSync("*", { cwd: folder.path }).filter((found) => !/^[0-9]+$|^archive$/.test(found)),
        [],
      );
    }),
    { numRuns: 200 },
  );
});

test("a consumer's error and a cancel end the program that inflates", async () => {
  await using folder = await makeTempDir("banger-unpack-");
  const job = await jobOf(folder, xz(Buffer.alloc(50_000_000)));
  let pieces = 0;
  await assert.rejects(
    inflate(job, () => {
      if (++pieces === 2) throw new BangerError("INTERNAL", "enough", { op: "test" });
    }),
    /enough/,
  );
  assert.equal(pieces, 2);
  const cancel = new AbortController();
  const cancelled = inflate({ ...job, signal: cancel.signal }, () => cancel.abort());
  await assert.rejects(cancelled, (error) => hasReason(error, "CANCELLED"));
  const leaving = new AbortController();
  const plain = await jobOf(folder, Buffer.alloc(5_000_000), { signal: leaving.signal });
  const left = inflate(plain, () => leaving.abort());
  await assert.rejects(left, (error) => hasReason(error, "CANCELLED"));
  const gzip = await jobOf(folder, gzipSync(Buffer.alloc(50_000_000)), { signal: AbortSignal.abort() });
  await assert.rejects(
    inflate(gzip, () => {}),
    (error) => hasReason(error, "CANCELLED"),
  );
});

test("without xz, what else there is takes its place, or it says what to install", async () => {
  await using folder = await makeTempDir("banger-unpack-");
  const data = tar(file("a", "x"));
  const packed = join(folder.path, "k.deb");
  await writeFile(packed, debOf({ name: "data.tar.xz", content: xz(data) }));
  const job = { ...(await jobOf(folder, xz(data))), package: packed };
  const missing = ["banger-no-such-program", []] as const;
  const names = xzCommands(job).map(([program]) => program);
  assert.deepEqual(names, ["xz", "dpkg-deb", "busybox"]);
  for (const command of xzCommands(job)) {
    const pieces: Buffer[] = [];
    await inflate(job, (piece) => void pieces.push(Buffer.from(piece)), [missing, command]);
    assert.deepEqual(Buffer.concat(pieces), data, command[0]);
  }
  await assert.rejects(
    inflate(job, () => {}, [missing]),
    (error) => {
      return hasReason(error, "XZ_MISSING") && /xz-utils/.test(error.hint);
    },
  );
});
