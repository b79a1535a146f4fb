import { gunzipSync, gzipSync, constants, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../src/base/digest.ts";
import { dir, end, file, header, tar } from "../layers/tar-builder.ts";
import { blob, hostileCase, type CaseMaker, type HostileLayer } from "./hostile-case.ts";

const archive = tar(dir("d/"), file("d/f", "content ".repeat(3000)));
const gzip = gzipSync(archive);
const zstd = zstdCompressSync(archive, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

function changed(bytes: Buffer, at: number, to: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? bytes.length + at : at] = to;
  return copy;
}

/** RFC 1952 section 2.3.1: a member with all optional fields. */
function decorated(): Buffer {
  const head = Buffer.from([0x1f, 0x8b, 8, 0x1c, 0, 0, 0, 0, 0, 3]);
  const extra = Buffer.concat([Buffer.from([4, 0]), Buffer.from("evil")]);
  return Buffer.concat([head, extra, Buffer.from("../../name\0comment\0"), gzip.subarray(10)]);
}

/** RFC 8878 section 3.1.1.1: a frame of one raw block, with any descriptor and window. */
function rawFrame(content: Buffer, descriptor: number, rest: readonly number[]): Buffer {
  const size = (content.length << 3) | 1;
  const block = Buffer.from([size & 0xff, (size >> 8) & 0xff, size >> 16]);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, ...rest]), block, content]);
}

const small = tar(file("a", "x"));

/** Zeros in frames of a window of 2^`log`: RLE blocks of 128 KiB, four bytes each. */
function zstdZeros(bytes: number, log: number): Buffer {
  const blocks = bytes / 131_072;
  const out = Buffer.alloc(6 + blocks * 4);
  out.set([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3]);
  for (let i = 0; i < blocks; i++) {
    out.writeUIntLE((131_072 << 3) | (1 << 1) | (i === blocks - 1 ? 1 : 0), 6 + i * 4, 3);
  }
  return out;
}

/** A layer whose zeros after the archive's end nobody hashed beforehand: it must be refused before that matters. */
function bomb(bytes: Buffer): readonly HostileLayer[] {
  return [{ blob: bytes, diffId: digestOf(Buffer.from("a bomb")) }];
}

function gzipBomb(): Buffer {
  const zeros = gzipSync(Buffer.alloc(64 << 20), { level: 9 });
  return Buffer.concat(Array.from({ length: 40 }, () => zeros));
}

type Table = Readonly<Record<string, readonly [expect: string, make: () => readonly HostileLayer[]]>>;

const table: Table = {
  "no bytes": ["blob-empty", () => blob(Buffer.alloc(0), Buffer.alloc(0))],
  "gzip of nothing": ["accepted", () => blob(gzipSync(Buffer.alloc(0)), Buffer.alloc(0))],
  "gzip's magic alone": ["gzip", () => blob(Buffer.from([0x1f, 0x8b]), archive)],
  "gzip of another method": ["gzip", () => blob(changed(gzip, 2, 7), archive)],
  "gzip with reserved flags": ["gzip", () => blob(changed(gzip, 3, 0xe0), archive)],
  "gzip with all fields": ["accepted", () => blob(decorated(), archive)],
  "gzip cut short": ["gzip", () => blob(gzip.subarray(0, -9), archive)],
  "gzip without its length": ["gzip", () => blob(gzip.subarray(0, -4), archive)],
  "gzip with a wrong CRC": ["gzip", () => blob(changed(gzip, -6, 0x55), archive)],
  "gzip with a wrong length": ["gzip", () => blob(changed(gzip, -1, 0x55), archive)],
  "gzip with a broken block": ["gzip", () => blob(changed(gzip, 10, 0xff), archive)],
  "gzip and garbage": ["gzip", () => blob(Buffer.concat([gzip, Buffer.from("garbage")]), archive)],
  "gzip and zeros": ["accepted", () => blob(Buffer.concat([gzip, Buffer.alloc(70_000)]), archive)],
  "gzip, zeros and garbage": [
    "trailing-garbage",
    () => blob(Buffer.concat([gzip, Buffer.alloc(70_000), Buffer.from("x")]), archive),
  ],
  "gzip and another member's magic": [
    "either",
    () => blob(Buffer.concat([gzip, Buffer.from([0x1f, 0x8b])]), archive),
  ],
  "gzip and a tar": ["gzip", () => blob(Buffer.concat([gzip, small]), archive)],
  "gzip in a thousand members": [
    "accepted",
    () => blob(Buffer.concat(slices(archive).map((part) => gzipSync(part))), archive),
  ],
  "gzip in empty members": [
    "accepted",
    () => blob(Buffer.concat([...Array.from({ length: 3000 }, () => gzipSync("")), gzip]), archive),
  ],
  "gzip in gzip": [
    "header-checksum",
    () => blob(gzipSync(Buffer.concat([gzip, Buffer.alloc(512)])), Buffer.concat([gzip, Buffer.alloc(512)])),
  ],
  "zlib's format": [
    "header-checksum",
    () => blob(Buffer.concat([Buffer.from([0x78, 0x9c]), gzip, Buffer.alloc(512)]), archive),
  ],
  "bzip2's magic": [
    "header-checksum",
    () => blob(Buffer.concat([Buffer.from("BZh91AY&SY"), Buffer.alloc(600)]), archive),
  ],
  "xz's magic": [
    "header-checksum",
    () => blob(Buffer.concat([Buffer.from("\xfd7zXZ\0", "latin1"), Buffer.alloc(600)]), archive),
  ],
  zstd: ["accepted", () => blob(zstd, archive)],
  "zstd with a wrong checksum": ["zstd", () => blob(changed(zstd, -1, (zstd.at(-1) ?? 0) ^ 1), archive)],
  "zstd cut short": ["zstd", () => blob(zstd.subarray(0, -5), archive)],
  "zstd's magic alone": ["zstd", () => blob(zstd.subarray(0, 4), archive)],
  "zstd and garbage": ["either", () => blob(Buffer.concat([zstd, Buffer.from("garbage!")]), archive)],
  "zstd and zeros": ["either", () => blob(Buffer.concat([zstd, Buffer.alloc(64)]), archive)],
  "zstd behind a skippable frame": ["accepted", () => blob(Buffer.concat([skippable(100), zstd]), archive)],
  "a skippable frame alone": ["either", () => blob(skippable(100), Buffer.alloc(0))],
  "a skippable frame of 4 GiB": [
    "zstd",
    () => blob(Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff]), archive),
  ],
  "zstd with a dictionary id": [
    "zstd",
    () => blob(rawFrame(small, 0x23 & 0xfb, [42, small.length & 0xff]), small),
  ],
  "zstd with reserved bits": ["zstd", () => blob(rawFrame(small, 0x08, [0x58]), small)],
  "zstd with a window of 2^41": ["zstd", () => blob(rawFrame(small, 0x00, [0xff]), small)],
  "zstd with a window of 2^32": ["zstd", () => blob(rawFrame(small, 0x00, [22 << 3]), small)],
  "zstd with a window of 2^27": ["accepted", () => blob(rawFrame(small, 0x00, [17 << 3]), small)],
  "zstd of another content size": ["zstd", () => blob(rawFrame(small, 0xa0, [0xff, 0xff, 0, 0]), small)],
  "zstd of a content size of 2^62": [
    "zstd",
    () => blob(rawFrame(small, 0xe0, [0, 0, 0, 0, 0, 0, 0, 0x40]), small),
  ],
  "zstd with a reserved block": [
    "zstd",
    () => blob(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, 7, 0, 0]), small),
  ],
  "another diffID": ["diff-id", () => blob(gzip, small)],
  "a diffID of the archive's part up to its end": [
    "diff-id",
    () => blob(gzipSync(Buffer.concat([archive, Buffer.from("tail")])), archive),
  ],
  "a bomb of gzip": ["inflate-ratio", () => bomb(gzipBomb())],
  "a bomb of zstd": ["inflate-ratio", () => bomb(zstdZeros(2 ** 31, 27))],
  "a bomb of zstd with a window of 2 GiB": ["zstd", () => bomb(zstdZeros(2 ** 31, 31))],
  "a bomb in one file": ["inflate-ratio", () => bomb(fileBomb())],
};

/** A file of 4 GiB of zeros: header and body. */
function fileBomb(): Buffer {
  const head = zstdCompressSync(header({ name: "zeros", size: 2 ** 32 }));
  return Buffer.concat([head, zstdZeros(2 ** 31, 17), zstdZeros(2 ** 31, 17), zstdCompressSync(end)]);
}

function slices(bytes: Buffer): readonly Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / 27) }, (_, i) => bytes.subarray(i * 27, i * 27 + 27));
}

function skippable(length: number): Buffer {
  const head = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, Buffer.alloc(length, 0x1f)]);
}

/** Flips in compressed bytes, at places that depend on nothing but the number. */
function flips(): readonly CaseMaker[] {
  return Array.from({ length: 40 }, (_, i) => {
    const source = i % 2 === 0 ? gzip : zstd;
    const at = (i * 7919) % source.length;
    const name = `blob: ${i % 2 === 0 ? "gzip" : "zstd"} with byte ${at} changed`;
    return hostileCase(name, "either", () =>
      blob(changed(source, at, (source[at] ?? 0) ^ (1 << (i % 8))), archive),
    );
  });
}

export const blobCases: readonly CaseMaker[] = [
  ...Object.entries(table).map(([name, [expect, make]]) => hostileCase(`blob: ${name}`, expect, make)),
  ...flips(),
];

// The builders above are only worth something if the valid ones are valid.
if (!gunzipSync(decorated()).equals(archive)) throw new Error("the decorated member does not inflate");
