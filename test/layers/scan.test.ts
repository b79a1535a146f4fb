import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { after, before, test } from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { defaultLimits, type Limits } from "../../src/base/limits.ts";
import { sweepIndexes } from "../../src/layers/index/cache.ts";
import { encodeIndex } from "../../src/layers/index/encode.ts";
import type { LayerBlob } from "../../src/layers/root-tree.ts";
import { indexPath, LayerScanner, makeScanPool, type ScannedLayer } from "../../src/layers/scan.ts";
import { compress, writeBlob, writeLayer } from "./layer-blob.ts";
import { dir, file, header, paxSparse, symlink, tar } from "./tar-builder.ts";

const ociGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
let folder: TempDir;
const pool = makeScanPool(2);
before(async () => {
  folder = await makeTempDir("banger-scan-");
});
after(async () => {
  await pool[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function scannerOn(indexFolder: string, limits: Partial<Limits> = {}): LayerScanner {
  return new LayerScanner({ pool, indexFolder, limits: { ...defaultLimits, ...limits } });
}

async function freshFolder(): Promise<string> {
  const path = join(folder.path, randomBytes(6).toString("hex"));
  await mkdir(path);
  return path;
}

const never = new AbortController().signal;

async function scan(scanner: LayerScanner, blob: LayerBlob, mediaType = ociGzip): Promise<ScannedLayer> {
  return scanner.scan(blob, { mediaType, signal: never });
}

async function assertFails(work: Promise<unknown>, reason: Reason): Promise<void> {
  await assert.rejects(work, (error) => hasReason(error, reason));
}

const sha256 = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");

const contents = ["", "x", "y".repeat(512), "z".repeat(3_000_000)];
const archive = tar(
  dir("d/"),
  ...contents.map((content, i) => file(`d/${i}`, content, { xattrs: { "os2.x": "1" } })),
  paxSparse("1.0", "sparse", 1 << 20, [{ offset: 4096, content: "in the hole" }]),
  symlink("s", "d"),
);

for (const compression of ["none", "gzip", "zstd"] as const) {
  test(`${compression}: every content is hashed, and can be found again in the inflated stream`, async () => {
    const at = await freshFolder();
    const blob = await writeLayer(at, archive, compression);
    const { index, cached } = await scan(scannerOn(at), blob, "application/octet-stream");
    assert.equal(cached, false);
    assert.equal(index.compression, compression);
    assert.equal(index.inflatedBytes, archive.length);
    assert.deepEqual([index.blobDigest, index.diffId], [blob.digest, blob.diffId]);
    const files = index.entries.filter((entry) => entry.kind === "file");
    assert.deepEqual(
      files.map((entry) => entry.sha256.toString("hex")),
      [...contents, "in the hole"].map(sha256),
    );
    for (const { offset, storedBytes, sha256: hash } of files)
      assert.equal(sha256(archive.subarray(offset, offset + storedBytes)), hash.toString("hex"));
    assert.deepEqual(
      index.losses.map(({ entryNumber }) => entryNumber),
      [2, 3, 4, 5],
    );
  });
}

test("the second scan takes the cached index, and it is the same", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  const first = await scan(scannerOn(at), blob);
  const second = await scan(scannerOn(at), blob);
  assert.equal(second.cached, true);
  assert.deepEqual(second.index, first.index);
  assert.equal((await stat(indexPath(at, blob.digest))).mode & 0o777, 0o600);
});

test("a damaged index is made anew", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  const first = await scan(scannerOn(at), blob);
  const path = indexPath(at, blob.digest);
  const whole = await readFile(path);
  const flipped = Buffer.from(whole);
  flipped[300] = (flipped[300] ?? 0) ^ 1;
  for (const damaged of [Buffer.alloc(0), whole.subarray(0, -1), flipped, Buffer.alloc(whole.length)]) {
    await writeFile(path, damaged);
    const again = await scan(scannerOn(at), blob);
    assert.equal(again.cached, false);
    assert.deepEqual(again.index, first.index);
    assert.ok((await readFile(path)).equals(whole));
  }
});

test("the blob's checksum comes with it, scanned or cached, padding after the compressed data included", async () => {
  const at = await freshFolder();
  const bytes = Buffer.concat([compress(archive, "gzip"), Buffer.alloc(3_000_000)]);
  const blob = await writeBlob(at, bytes, archive);
  for (const cached of [false, true]) {
    const scanned = await scan(scannerOn(at), blob);
    assert.equal(scanned.cached, cached);
    assert.equal(scanned.blob.crc32, crc32(bytes));
  }
});

test("an index without the blob's checksum, as earlier versions wrote it, is made anew", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  const first = await scan(scannerOn(at), blob);
  const path = indexPath(at, blob.digest);
  await writeFile(path, encodeIndex({ ...first.index, blobCrc32: undefined }));
  const again = await scan(scannerOn(at), blob);
  assert.equal(again.cached, false);
  assert.deepEqual(again.index, first.index);
});

test("an index of the same blob with another diffID is not used, and the diffID is verified again", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  await scan(scannerOn(at), blob);
  const wrong = { ...blob, diffId: digestOf(Buffer.from("something else")) };
  await assertFails(scan(scannerOn(at), wrong), "DIFFID_MISMATCH");
});

test("a diffID may be a sha512, and covers what follows the archive's end", async () => {
  const at = await freshFolder();
  const withTail = Buffer.concat([archive, Buffer.from("ignored, and hashed")]);
  const blob = await writeLayer(at, withTail);
  await scan(scannerOn(at), { ...blob, diffId: digestOf(withTail, "sha512") });
  await assertFails(scan(scannerOn(at), { ...blob, diffId: digestOf(archive, "sha512") }), "DIFFID_MISMATCH");
});

test("a refused layer leaves nothing in the cache", async () => {
  const at = await freshFolder();
  const bad = tar(file("a", "x".repeat(1000)), header({ name: "b", type: "Z" }));
  await assertFails(scan(scannerOn(at), await writeLayer(at, bad)), "LAYER_UNSAFE");
  const cut = await writeBlob(at, Buffer.from([0x1f, 0x8b, 8]), archive);
  await assertFails(scan(scannerOn(at), cut), "LAYER_INVALID");
  assert.deepEqual(await readdir(join(at, "sha256")), []);
});

test("an archive that is cut, and whose diffID says so, is refused", async () => {
  const at = await freshFolder();
  await assertFails(scan(scannerOn(at), await writeLayer(at, archive.subarray(0, 700))), "LAYER_INVALID");
});

test("limits hold for a scan and for a cached index", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  const count = contents.length + 3;
  await assertFails(scan(scannerOn(at, { entries: count - 1 }), blob), "LIMIT_ENTRIES");
  await assertFails(scan(scannerOn(at, { inflatedBytes: archive.length - 1 }), blob), "LIMIT_INFLATED");
  const exact = { entries: count, inflatedBytes: archive.length };
  assert.equal((await scan(scannerOn(at, exact), blob)).cached, false);
  assert.equal((await scan(scannerOn(at, exact), blob)).cached, true);
  await assertFails(scan(scannerOn(at, { entries: count - 1 }), blob), "LIMIT_ENTRIES");
  await assertFails(scan(scannerOn(at, { inflatedBytes: archive.length - 1 }), blob), "LIMIT_INFLATED");
});

test("an index that is too large is neither read nor written", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  await scan(scannerOn(at), blob);
  const { size } = await stat(indexPath(at, blob.digest));
  assert.equal((await scan(scannerOn(at, { indexFileBytes: size }), blob)).cached, true);
  await assertFails(scan(scannerOn(at, { indexFileBytes: size - 1 }), blob), "LIMIT_ENTRIES");
});

test("a media type that says something else is listed, cached or not; the bytes decide", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive, "zstd");
  const said: readonly [mediaType: string, listed: boolean][] = [
    [ociGzip, true],
    ["application/vnd.docker.image.rootfs.diff.tar.gzip", true],
    ["application/vnd.oci.image.layer.v1.tar", true],
    ["application/vnd.oci.image.layer.v1.tar+zstd", false],
    ["application/octet-stream", false],
  ];
  for (const [mediaType, listed] of said) {
    const { index } = await scan(scannerOn(at), blob, mediaType);
    assert.equal(index.compression, "zstd");
    const kinds = index.losses.map(({ kind }) => kind);
    assert.equal(kinds.includes("MEDIA_TYPE_DIFFERS"), listed, mediaType);
  }
});

test("aborting stops the scan, leaves nothing behind, and the next scan works", async () => {
  const at = await freshFolder();
  const large = tar(file("big", Buffer.alloc(60_000_000, randomBytes(50_000))));
  const blob = await writeLayer(at, large, "gzip");
  const controller = new AbortController();
  const work = scannerOn(at).scan(blob, {
    mediaType: ociGzip,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await assertFails(work, "CANCELLED");
  assert.deepEqual(await readdir(join(at, "sha256")), []);
  await assertFails(scannerOn(at).scan(blob, { mediaType: ociGzip, signal: controller.signal }), "CANCELLED");
  assert.equal((await scan(scannerOn(at), blob)).index.entries.length, 1);
});

test("two scans of one blob at once do no harm", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  const [one, two] = await Promise.all([scan(scannerOn(at), blob), scan(scannerOn(at), blob)]);
  assert.deepEqual(one.index, two.index);
  assert.equal((await readdir(join(at, "sha256"))).length, 1);
});

test("the sweep removes what killed scans left, and no index", async () => {
  const at = await freshFolder();
  const blob = await writeLayer(at, archive);
  await scan(scannerOn(at), blob);
  const path = indexPath(at, blob.digest);
  await writeFile(`${path}.0011.tmp`, "half");
  await utimes(path, 0, 0);
  await sweepIndexes(join(at, "sha256"));
  assert.deepEqual(await readdir(join(at, "sha256")), [path.split("/").at(-1)]);
  await sweepIndexes(join(at, "not there"));
});
