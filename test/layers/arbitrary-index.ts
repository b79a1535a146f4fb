import fc from "fast-check";
import { byteString, type ByteString } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import type { EntryLoss, LayerEntry, LayerIndex, Segment, Xattr } from "../../src/layers/layer-index.ts";

/** Any index that a scan could have made: for properties of whatever keeps or reads one. */

/** Objects with an ordinary prototype, as the code makes them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });

const id = fc.integer({ min: 0, max: 0xffff_ffff });

/** One to `max` bytes, any but NUL. */
function name(max: number): fc.Arbitrary<ByteString> {
  return fc
    .uint8Array({ minLength: 1, maxLength: max, min: 1 })
    .map((bytes) => byteString(Buffer.from(bytes)));
}

const bytes = (min: number, max: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((array) => Buffer.from(array));

const xattrs: fc.Arbitrary<readonly Xattr[]> = fc
  .uniqueArray(record({ name: name(20), value: bytes(0, 40) }), {
    selector: (xattr) => xattr.name,
    maxLength: 3,
  })
  .map((list) => list.sort((a, b) => (a.name < b.name ? -1 : 1)));

const base = {
  path: name(300),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: id,
  gid: id,
  mtime: record({
    seconds: fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constant(0)),
    nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  }),
  xattrs,
};

const place = {
  offset: fc.integer({ min: 0, max: 2 ** 48 }),
  sha256: bytes(32, 32),
};

const segments: fc.Arbitrary<{ segments: Segment[] | undefined; size: number; storedBytes: number }> = fc
  .tuple(
    fc.array(fc.tuple(fc.nat(2 ** 40), fc.integer({ min: 1, max: 2 ** 30 })), { maxLength: 4 }),
    fc.nat(1000),
    fc.boolean(),
  )
  .map(([pairs, rest, sparse]) => {
    if (!sparse) return { segments: undefined, size: rest, storedBytes: rest };
    let end = 0;
    const list = pairs.map(([gap, length]) => {
      const offset = end + gap;
      end = offset + length;
      return { offset, length };
    });
    return {
      segments: list,
      size: end + rest,
      storedBytes: list.reduce((sum, { length }) => sum + length, 0),
    };
  });

type Part = LayerEntry extends infer T ? (T extends unknown ? Omit<T, "number"> : never) : never;

const part: fc.Arbitrary<Part> = fc.oneof(
  fc
    .tuple(record({ kind: fc.constant("file" as const), ...base, ...place }), segments)
    .map(([file, sizes]) => Object.assign(file, sizes)),
  record({ kind: fc.constant("directory" as const), ...base }),
  record({ kind: fc.constant("fifo" as const), ...base }),
  record({ kind: fc.constant("symlink" as const), ...base, target: name(4095) }),
  record({ kind: fc.constant("hardlink" as const), ...base, target: name(4096) }),
  record({
    kind: fc.constantFrom("character" as const, "block" as const),
    ...base,
    major: fc.nat(0xfff),
    minor: fc.nat(0xf_ffff),
  }),
);

export const arbitraryIndex: fc.Arbitrary<LayerIndex> = record({
  parts: fc.array(part, { maxLength: 30 }),
  lossy: fc.array(fc.tuple(fc.nat(29), fc.string()), { maxLength: 3 }),
  compression: fc.constantFrom("none", "gzip", "zstd"),
  blobCrc32: fc.option(fc.nat(0xffff_ffff), { nil: undefined }),
  digests: fc.tuple(fc.string(), fc.string(), fc.constantFrom("sha256", "sha512")),
}).map(({ parts, lossy, compression, blobCrc32, digests: [blob, diff, algorithm] }) => {
  const entries = parts.map((entry, i): LayerEntry => ({ number: i + 1, ...entry }));
  const losses = lossy.flatMap(([at, detail]): EntryLoss[] => {
    const entry = entries[at];
    if (entry === undefined) return [];
    const printed = detail.toWellFormed();
    return [{ kind: "XATTR_NAMESPACE", path: entry.path, entryNumber: entry.number, detail: printed }];
  });
  return {
    blobDigest: digestOf(Buffer.from(blob), "sha256"),
    diffId: digestOf(Buffer.from(diff), algorithm),
    inflatedBytes: 2 ** 50,
    compression,
    blobCrc32,
    entries,
    losses,
  };
});
