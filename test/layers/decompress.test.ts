import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { BangerError, type Reason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { BlobFile } from "../../src/layers/blob-file.ts";
import { inflateLayer, type Inflated, type InflateOptions } from "../../src/layers/decompress.ts";
import { someLayer } from "./read-tar.ts";

let folder: TempDir;
before(async () => {
  folder = await makeTempDir("banger-inflate-");
});
after(() => folder[Symbol.asyncDispose]());

let blobs = 0;

async function inflate(
  bytes: Buffer,
  limits: Partial<InflateOptions["limits"]> = {},
): Promise<Inflated & { readonly out: Buffer }> {
  const path = join(folder.path, String(blobs++));
  await writeFile(path, bytes);
  const pieces: Buffer[] = [];
  const options = { layer: someLayer, limits: { ...defaultLimits, ...limits } };
  using blob = BlobFile.open(path);
  const inflated = await inflateLayer(blob, options, (piece) => pieces.push(Buffer.from(piece)));
  return { ...inflated, out: Buffer.concat(pieces) };
}

async function assertFails(
  bytes: Buffer,
  reason: Reason,
  rule: string,
  limits: Partial<InflateOptions["limits"]> = {},
): Promise<void> {
  await assert.rejects(inflate(bytes, limits), (error) => {
    assert.ok(error instanceof BangerError, String(error));
    assert.deepEqual([error.reason, error.facts["rule"], error.facts["layer"]], [reason, rule, someLayer]);
    return true;
  });
}

const zstd = (bytes: Buffer): Buffer =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

/** RFC 8878 section 3.1.2. */
function skippable(content: Buffer, variant = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + variant, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/** Larger than a few pieces, and no piece like another. */
const large = Buffer.concat([randomBytes(1_500_000), Buffer.alloc(3_000_000, "z"), randomBytes(700_001)]);
const a = Buffer.from("first");
const b = Buffer.from("second");

const good: readonly [what: string, bytes: () => Buffer, out: Buffer, compression: string][] = [
  ["plain bytes", () => large, large, "none"],
  ["one plain byte", () => Buffer.from("x"), Buffer.from("x"), "none"],
  ["the first byte of gzip's magic alone", () => Buffer.from([0x1f]), Buffer.from([0x1f]), "none"],
  ["gzip", () => gzipSync(large), large, "gzip"],
  ["gzip of nothing", () => gzipSync(Buffer.alloc(0)), Buffer.alloc(0), "gzip"],
  [
    "gzip in several members",
    () => Buffer.concat([gzipSync(a), gzipSync(large), gzipSync(b)]),
    Buffer.concat([a, large, b]),
    "gzip",
  ],
  ["gzip with an empty member", () => Buffer.concat([gzipSync(Buffer.alloc(0)), gzipSync(a)]), a, "gzip"],
  ["gzip padded with zeros", () => Buffer.concat([gzipSync(a), Buffer.alloc(100)]), a, "gzip"],
  [
    "gzip padded with more zeros than a piece",
    () => Buffer.concat([gzipSync(a), Buffer.alloc(3_000_000)]),
    a,
    "gzip",
  ],
  ["zstd", () => zstd(large), large, "zstd"],
  [
    "zstd in several frames",
    () => Buffer.concat([zstd(a), zstd(large), zstd(b)]),
    Buffer.concat([a, large, b]),
    "zstd",
  ],
  [
    "zstd with skippable frames",
    () => Buffer.concat([skippable(a), zstd(a), skippable(large, 15), zstd(b), skippable(b)]),
    Buffer.concat([a, b]),
    "zstd",
  ],
  ["zstd without checksums", () => zstdCompressSync(large), large, "zstd"],
];

for (const [what, bytes, out, compression] of good) {
  test(`inflates ${what}`, async () => {
    const inflated = await inflate(bytes());
    assert.ok(inflated.out.equals(out));
    assert.equal(inflated.compression, compression);
    assert.equal(inflated.inflatedBytes, out.length);
  });
}

/** gzip members that end just where one read ends: the next member begins a write of its own. */
for (const around of [-1, 0, 1]) {
  test(`inflates a second gzip member that begins ${around} bytes after a piece's end`, async () => {
    const name = Buffer.alloc(1024 * 1024 + around - gzipSync(a).length - 1, "n");
    const first = withGzipName(gzipSync(a), name);
    assert.equal(first.length, 1024 * 1024 + around);
    assert.equal((await inflate(Buffer.concat([first, gzipSync(b)]))).out.toString(), "firstsecond");
    assert.equal((await inflate(Buffer.concat([first, Buffer.alloc(10)]))).out.toString(), "first");
    await assertFails(Buffer.concat([first, b]), "LAYER_INVALID", "gzip");
  });
}

/** RFC 1952 section 2.3: flag FNAME, and a name that ends in a NUL after the header's ten bytes. */
function withGzipName(member: Buffer, name: Buffer): Buffer {
  const head = Buffer.from(member.subarray(0, 10));
  head[3] = (head[3] ?? 0) | 8;
  return Buffer.concat([head, name, Buffer.alloc(1), member.subarray(10)]);
}

function flipped(bytes: Buffer, fromEnd: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.length - fromEnd;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

const bad: readonly [what: string, bytes: () => Buffer, rule: string][] = [
  ["nothing", () => Buffer.alloc(0), "blob-empty"],
  ["gzip with a wrong CRC", () => flipped(gzipSync(large), 8), "gzip"],
  ["gzip with a wrong length", () => flipped(gzipSync(large), 4), "gzip"],
  [
    "gzip with a wrong CRC in its second member",
    () => Buffer.concat([gzipSync(a), flipped(gzipSync(b), 8)]),
    "gzip",
  ],
  ["gzip with damaged data", () => flipped(gzipSync(Buffer.alloc(100_000, "abc")), 60), "gzip"],
  ["gzip cut short", () => gzipSync(large).subarray(0, -1), "gzip"],
  ["gzip cut in its header", () => gzipSync(a).subarray(0, 5), "gzip"],
  ["gzip whose second member is cut", () => Buffer.concat([gzipSync(a), gzipSync(b).subarray(0, 2)]), "gzip"],
  ["gzip followed by garbage", () => Buffer.concat([gzipSync(a), Buffer.from("garbage")]), "gzip"],
  ["gzip, zeros, garbage", () => Buffer.concat([gzipSync(a), Buffer.alloc(9), b]), "trailing-garbage"],
  ["gzip, zeros, gzip", () => Buffer.concat([gzipSync(a), Buffer.alloc(9), gzipSync(b)]), "trailing-garbage"],
  [
    "gzip, many zeros, garbage",
    () => Buffer.concat([gzipSync(a), Buffer.alloc(5_000_000), b]),
    "trailing-garbage",
  ],
  ["gzip followed by zstd", () => Buffer.concat([gzipSync(a), zstd(b)]), "gzip"],
  ["zstd with a wrong checksum", () => flipped(zstd(large), 1), "zstd"],
  [
    "zstd with a wrong checksum in its second frame",
    () => Buffer.concat([zstd(a), flipped(zstd(b), 1)]),
    "zstd",
  ],
  ["zstd cut short", () => zstd(large).subarray(0, -1), "zstd"],
  ["zstd cut in its header", () => zstd(a).subarray(0, 5), "zstd"],
  ["zstd whose second frame is cut", () => Buffer.concat([zstd(a), zstd(b).subarray(0, 3)]), "zstd"],
  [
    "zstd whose second frame is cut at a piece's start",
    () =>
      Buffer.concat([
        zstd(a),
        skippable(Buffer.alloc(1024 * 1024 - 8 - zstd(a).length)),
        zstd(b).subarray(0, 6),
      ]),
    "zstd",
  ],
  ["zstd whose skippable frame is cut", () => Buffer.concat([zstd(a), skippable(a).subarray(0, -1)]), "zstd"],
  ["zstd followed by zeros", () => Buffer.concat([zstd(a), Buffer.alloc(9)]), "zstd"],
  ["zstd followed by garbage", () => Buffer.concat([zstd(a), Buffer.from("garbage")]), "zstd"],
  ["zstd followed by gzip", () => Buffer.concat([zstd(a), gzipSync(b)]), "zstd"],
];

for (const [what, bytes, rule] of bad) {
  test(`refuses ${what}`, () => assertFails(bytes(), "LAYER_INVALID", rule));
}

for (const [name, compressed] of [
  ["none", large],
  ["gzip", gzipSync(large)],
  ["zstd", zstd(large)],
] as const) {
  test(`${name}: no more inflated bytes than allowed`, async () => {
    await inflate(compressed, { inflatedBytes: large.length });
    await assertFails(compressed, "LIMIT_INFLATED", "inflated-bytes", { inflatedBytes: large.length - 1 });
  });

  test(`${name}: what the consumer throws stops the work, and is what is thrown`, async () => {
    const path = join(folder.path, String(blobs++));
    await writeFile(path, compressed);
    let pieces = 0;
    const stop = new BangerError("LAYER_UNSAFE", "enough", { op: "test" });
    using blob = BlobFile.open(path);
    const work = inflateLayer(blob, { layer: someLayer, limits: defaultLimits }, () => {
      pieces++;
      throw stop;
    });
    await assert.rejects(work, (error) => error === stop);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(pieces, 1);
  });

  test(`${name}: progress grows to the blob's size`, async () => {
    const path = join(folder.path, String(blobs++));
    await writeFile(path, compressed);
    const seen: number[] = [];
    const options = {
      layer: someLayer,
      limits: defaultLimits,
      onProgress: (bytes: number) => void seen.push(bytes),
    };
    using blob = BlobFile.open(path);
    await inflateLayer(blob, options, () => {});
    assert.equal(seen.at(-1), compressed.length);
    assert.deepEqual(
      seen,
      seen.toSorted((x, y) => x - y),
    );
  });
}

for (const [name, compressed] of [
  ["gzip", gzipSync],
  ["zstd", zstd],
] as const) {
  test(`${name}: a bomb is stopped by its ratio, a small one is let through`, async () => {
    const bomb = compressed(Buffer.alloc(8_000_000));
    const tight = { inflateRatio: 100, ratioFreeBytes: 1_000_000 };
    await assertFails(bomb, "LIMIT_RATIO", "inflate-ratio", tight);
    await inflate(bomb, { ...tight, ratioFreeBytes: 8_000_000 });
    await inflate(bomb, { ...tight, inflateRatio: 100_000 });
  });
}

test("zstd windows up to 2^27 are read, larger ones where the bound is raised", async () => {
  // One block of one repeated byte in a frame with a window of 2^31: RFC 8878 sections 3.1.1.1.2 and 3.1.1.2.
  const magicAndNoFlags = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00]);
  const window = (log: number): Buffer => Buffer.from([(log - 10) << 3]);
  const lastRleBlock = Buffer.from([(5 << 3) | (1 << 1) | 1, 0, 0, 0x61]);
  const frame = (log: number): Buffer => Buffer.concat([magicAndNoFlags, window(log), lastRleBlock]);
  assert.equal((await inflate(frame(31), { zstdWindowLog: 31 })).out.toString(), "aaaaa");
  assert.equal((await inflate(frame(27))).out.toString(), "aaaaa");
  await assertFails(frame(28), "LAYER_INVALID", "zstd");
  await assertFails(frame(27), "LAYER_INVALID", "zstd", { zstdWindowLog: 26 });
});

for (const [what, bytes] of [
  ["plain bytes", large],
  ["gzip", gzipSync(large)],
  ["zstd", zstd(large)],
] as const) {
  test(`${what}: what is read is handed over as it is`, async () => {
    const path = join(folder.path, String(blobs++));
    await writeFile(path, bytes);
    const read: Buffer[] = [];
    const onRead = (piece: Buffer): void => void read.push(Buffer.from(piece));
    using blob = BlobFile.open(path);
    await inflateLayer(blob, { layer: someLayer, limits: defaultLimits, onRead }, () => {});
    assert.ok(Buffer.concat(read).equals(bytes));
  });

  test(`${what}: no more than is wanted is inflated`, async () => {
    const path = join(folder.path, String(blobs++));
    // The end is missing, which is an error to whoever wants it.
    await writeFile(path, bytes.subarray(0, bytes.length - 3));
    let got = 0;
    const options = { layer: someLayer, limits: defaultLimits, until: 1_200_000 };
    using blob = BlobFile.open(path);
    const { inflatedBytes } = await inflateLayer(blob, options, (piece) => {
      got += piece.length;
    });
    assert.equal(inflatedBytes, got);
    assert.ok(got >= 1_200_000 && got < 1_200_000 + 2 ** 20, String(got));
  });
}
