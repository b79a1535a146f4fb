import assert from "node:assert/strict";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../src/base/digest.ts";
import { BangerError, hasReason, reasons, type Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits, type Limits } from "../../src/base/limits.ts";
import { runInSlices } from "../../src/base/slices.ts";
import { BlobFile } from "../../src/layers/blob-file.ts";
import { flatten } from "../../src/layers/flatten.ts";
import type { LayerBlob } from "../../src/layers/root-tree.ts";
import { LayerScanner, makeScanPool } from "../../src/layers/scan.ts";
import { scanLayer } from "../../src/layers/scan-layer.ts";
import { dir, file, gnuLong, header, oldSparse, pax, symlink, tar } from "../layers/tar-builder.ts";

const MiB = 2 ** 20;

/** Read ahead while a piece is at work: two pieces of input, and those that are being inflated. */
const readAheadBytes = 4 * MiB;

/** What follows the offence: so much that whoever reads on to the end is found out. Random, so that it does not shrink. */
const rest = Buffer.alloc(16 * MiB);
for (let at = 0, state = 1; at < rest.length; at += 4) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  rest.writeInt32LE(state, at);
}

interface Offence {
  readonly reason: Reason;
  readonly archive: Buffer;
  readonly limits?: Partial<Limits>;
}

const xattrs = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`SCHILY.xattr.user.${i}`, "v".repeat(100)]));
const pieces = Array.from({ length: 60 }, (_, i) => ({ offset: i * 8192, content: "s" }));

/** Each has its offence at its start, and the bulk after it. */
const offences: Readonly<Record<string, Offence>> = {
  "too many entries": {
    reason: "LIMIT_ENTRIES",
    archive: tar(...Array.from({ length: 20 }, (_, i) => file(`${i}`))),
    limits: { entries: 10 },
  },
  "a path too long": {
    reason: "LIMIT_PATH",
    archive: Buffer.concat([gnuLong("d/".repeat(2100)), file("x")]),
  },
  "a PAX header too long": { reason: "LIMIT_PAX", archive: header({ name: "x", type: "x", size: 2 * MiB }) },
  "a long name too long": { reason: "LIMIT_PAX", archive: header({ name: "L", type: "L", size: 2 * MiB }) },
  "too many xattrs": { reason: "LIMIT_XATTRS", archive: Buffer.concat([pax(xattrs(1025)), file("f")]) },
  "too many bytes of xattrs": {
    reason: "LIMIT_XATTRS",
    archive: Buffer.concat([pax({ "SCHILY.xattr.user.x": "x".repeat(70_000) }), file("f")]),
  },
  "too many bytes of a layer's xattrs": {
    reason: "LIMIT_XATTRS",
    archive: Buffer.concat(
      Array.from({ length: 20 }, (_, i) => Buffer.concat([pax(xattrs(100)), file(`f${i}`)])),
    ),
    limits: { layerXattrBytes: 100_000 },
  },
  "too many pieces of a sparse file": {
    reason: "LIMIT_SPARSE_MAP",
    archive: oldSparse("s", MiB, pieces),
    limits: { sparseSegments: 50 },
  },
  "too many pieces of several sparse files": {
    reason: "LIMIT_SPARSE_MAP",
    archive: Buffer.concat([oldSparse("s", MiB, pieces), oldSparse("t", MiB, pieces)]),
    limits: { sparseSegments: 100 },
  },
  "too many bytes": {
    reason: "LIMIT_INFLATED",
    archive: header({ name: "f", size: 8 ** 11 - 1 }),
    limits: { inflatedBytes: MiB },
  },
};

async function refusedAfter(blob: LayerBlob, limits: Limits): Promise<{ error: BangerError; read: number }> {
  let read = 0;
  const sink = { entry: () => {}, loss: () => {} };
  try {
    using file = BlobFile.open(blob.path);
    await scanLayer(blob, file, limits, sink, (bytes) => (read = Math.max(read, bytes)));
  } catch (error) {
    assert.ok(error instanceof BangerError, String(error));
    return { error, read };
  }
  return assert.fail("it was accepted");
}

for (const [what, { reason, archive, limits = {} }] of Object.entries(offences)) {
  for (const compressed of [false, true]) {
    test(`${what}: refused where it is met, ${compressed ? "gzip" : "plain"}`, async () => {
      await using folder = await makeTempDir("banger-limits-");
      const whole = Buffer.concat([archive, rest]);
      const bytes = compressed ? gzipSync(whole, { level: 0 }) : whole;
      const path = join(folder.path, "blob");
      writeFileSync(path, bytes);
      const blob = { digest: digestOf(bytes), diffId: digestOf(whole), path };
      const { error, read } = await refusedAfter(blob, { ...defaultLimits, ...limits });
      assert.equal(error.reason, reason, error.message);
      assert.ok(read <= archive.length + readAheadBytes, `it read ${read} of ${bytes.length} bytes`);
    });
  }
}

/** Zeros, compressed once and repeated: a stream of which every byte costs its author nothing. */
function bomb(compression: "gzip" | "zstd", total: number): Buffer {
  const zeros = Buffer.alloc(16 * MiB);
  const part =
    compression === "gzip"
      ? gzipSync(zeros, { level: 9 })
      : zstdCompressSync(zeros, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  return Buffer.concat(Array.from({ length: total / zeros.length }, () => part));
}

for (const compression of ["gzip", "zstd"] as const) {
  test(`a bomb of ${compression} is put out by its ratio, before it fills memory or disk`, async () => {
    await using folder = await makeTempDir("banger-bomb-");
    await using pool = makeScanPool(1);
    const limits = { ...defaultLimits, ratioFreeBytes: 64 * MiB, inflateRatio: 100 };
    const indexFolder = join(folder.path, "indexes");
    const bytes = bomb(compression, 1024 * MiB);
    const path = join(folder.path, "blob");
    writeFileSync(path, bytes);
    const blob = { digest: digestOf(bytes), diffId: digestOf(Buffer.from("never known")), path };
    const before = process.resourceUsage().maxRSS;
    const scan = new LayerScanner({ pool, indexFolder, limits }).scan(blob, {
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      signal: new AbortController().signal,
    });
    await assert.rejects(scan, (error) => hasReason(error, "LIMIT_RATIO"));
    assert.ok((process.resourceUsage().maxRSS - before) / 1024 < 200, "no more memory than some pieces take");
    assert.deepEqual(readdirSync(join(indexFolder, "sha256")), []);
  });
}

test("entries without end fill no more of the disk than an index may have", async () => {
  await using folder = await makeTempDir("banger-flood-");
  await using pool = makeScanPool(1);
  const indexFileBytes = 2 * MiB;
  const limits = { ...defaultLimits, indexFileBytes };
  const indexFolder = join(folder.path, "indexes");
  const entries = Buffer.concat(
    Array.from({ length: 4096 }, (_, i) => header({ name: `${"n".repeat(90)}${i}` })),
  );
  const bytes = Buffer.concat(Array.from({ length: 200 }, () => gzipSync(entries)));
  const path = join(folder.path, "blob");
  writeFileSync(path, bytes);
  let largest = 0;
  const scanning = new LayerScanner({ pool, indexFolder, limits }).scan(
    { digest: digestOf(bytes), diffId: digestOf(entries), path },
    { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", signal: new AbortController().signal },
  );
  const watch = setInterval(() => {
    const at = join(indexFolder, "sha256");
    try {
      for (const name of readdirSync(at)) largest = Math.max(largest, statSync(join(at, name)).size);
    } catch {
      // Not made yet, or just removed.
    }
  }, 1);
  await assert.rejects(
    scanning.finally(() => clearInterval(watch)),
    (error) => hasReason(error, "LIMIT_ENTRIES"),
  );
  assert.ok(largest <= indexFileBytes, `${largest} bytes`);
  assert.deepEqual(readdirSync(join(indexFolder, "sha256")), []);
});

test("merging stops where paths and links have become too much work, and lets others have their turn", async () => {
  await using folder = await makeTempDir("banger-steps-");
  await using pool = makeScanPool(1);
  const links = Array.from({ length: 39 }, (_, i) => symlink(`s${i}`, `${"./".repeat(1000)}s${i + 1}`));
  const archive = tar(...links, dir("s39/"), ...Array.from({ length: 500 }, (_, i) => file(`s0/${i}/f`)));
  const path = join(folder.path, "blob");
  writeFileSync(path, archive);
  const blob = { digest: digestOf(archive), diffId: digestOf(archive), path };
  const scanner = new LayerScanner({ pool, indexFolder: folder.path, limits: defaultLimits });
  const { index } = await scanner.scan(blob, { mediaType: "", signal: new AbortController().signal });
  const merge = (pathSteps: number): Promise<unknown> =>
    runInSlices(flatten([index], { limits: { ...defaultLimits, pathSteps } }), new AbortController().signal);
  await assert.rejects(
    merge(1_000_000),
    (error) => hasReason(error, "LIMIT_PATH") && error.facts["rule"] === "too-many-steps",
  );
  let turns = 0;
  const others = setInterval(() => turns++, 0);
  await merge(defaultLimits.pathSteps).finally(() => clearInterval(others));
  assert.ok(turns > 2, `${turns} turns`);
});

test("every limit on a layer is tested here", () => {
  const elsewhere = new Set(["LIMIT_DOCUMENT_SIZE", "LIMIT_INDEX_ENTRIES", "LIMIT_LAYERS", "LIMIT_RATIO"]);
  const here = new Set(Object.values(offences).map(({ reason }) => reason));
  const missing = reasons.filter(
    (reason) => reason.startsWith("LIMIT_") && !here.has(reason) && !elsewhere.has(reason),
  );
  assert.deepEqual(missing, []);
});
