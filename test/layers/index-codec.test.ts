import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import { runThrough } from "../../src/base/slices.ts";
import { decodeIndex } from "../../src/layers/index/decode.ts";
import { encodeIndex } from "../../src/layers/index/encode.ts";
import type { FileEntry, LayerEntry, LayerIndex } from "../../src/layers/layer-index.ts";
import { arbitraryIndex } from "./arbitrary-index.ts";

function decode(file: Buffer, index: LayerIndex): LayerIndex | undefined {
  return runThrough(decodeIndex(file, index));
}

/** Gives a tampered file the checksum of its own content, as a hostile one would have. */
function resealed(file: Buffer): Buffer {
  const body = file.subarray(0, -32);
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

test("what is encoded decodes to the same, and nothing of the file is kept", () => {
  fc.assert(
    fc.property(arbitraryIndex, (index) => {
      const file = encodeIndex(index);
      const decoded = decode(file, index);
      file.fill(0xee);
      assert.deepEqual(decoded, index);
    }),
    { seed: 20_240_601, numRuns: 200 },
  );
});

test("any byte changed, and any cut, makes it useless", () => {
  const [index] = fc.sample(arbitraryIndex, { seed: 5, numRuns: 1 });
  assert.ok(index !== undefined);
  const file = encodeIndex(index);
  assert.ok(decode(file, index) !== undefined);
  for (let at = 0; at < file.length; at += 7) {
    const damaged = Buffer.from(file);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    assert.equal(decode(damaged, index), undefined, `byte ${at}`);
    assert.equal(decode(file.subarray(0, at), index), undefined, `cut at ${at}`);
  }
  assert.equal(decode(Buffer.concat([file, Buffer.alloc(1)]), index), undefined);
});

test("one with a right checksum and wrong content never throws, and never breaks a type", () => {
  let accepted = 0;
  let refused = 0;
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  fc.assert(
    fc.property(arbitraryIndex, fc.array(change, { minLength: 1, maxLength: 4 }), (index, changes) => {
      const file = encodeIndex(index);
      for (const { at, byte } of changes) file[8 + (at % (file.length - 40))] = byte;
      const decoded = decode(resealed(file), index);
      if (decoded === undefined) return void refused++;
      accepted++;
      checkTypes(decoded);
    }),
    { seed: 7, numRuns: 1000 },
  );
  assert.ok(accepted > 50 && refused > 50, `${accepted} accepted, ${refused} refused`);
});

function checkTypes(index: LayerIndex): void {
  index.entries.forEach((entry, i) => {
    assert.equal(entry.number, i + 1);
    assert.ok(entry.path !== "" && !entry.path.includes("\0"));
    assert.ok(entry.mode <= 0o7777 && entry.uid <= 0xffff_ffff && entry.gid <= 0xffff_ffff);
    assert.ok(Number.isSafeInteger(entry.mtime.seconds) && entry.mtime.nanoseconds < 1e9);
    if (entry.kind === "file") checkFile(entry, index);
  });
}

function checkFile(file: FileEntry, index: LayerIndex): void {
  assert.ok(file.offset + file.storedBytes <= index.inflatedBytes);
  assert.equal(file.sha256.length, 32);
  let end = 0;
  for (const { offset, length } of file.segments ?? []) {
    assert.ok(offset >= end && length > 0);
    end = offset + length;
  }
  assert.ok(end <= file.size);
}

const one: FileEntry = {
  kind: "file",
  number: 1,
  path: utf8Bytes("f"),
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: [],
  size: 10,
  offset: 512,
  storedBytes: 10,
  segments: undefined,
  sha256: Buffer.alloc(32, 1),
};

function indexOf(entry: LayerEntry, rest: Partial<LayerIndex> = {}): LayerIndex {
  return {
    blobDigest: digestOf(Buffer.from("blob")),
    diffId: digestOf(Buffer.from("diff")),
    inflatedBytes: 2048,
    compression: "gzip",
    blobCrc32: 0xfedc_ba98,
    entries: [entry],
    losses: [],
    ...rest,
  };
}

const x = (name: string) => ({ name: utf8Bytes(name), value: Buffer.alloc(0) });

/** What a right encoder makes of wrong entries: whole files with right checksums that no scan would have written. */
const hostile: Readonly<Record<string, LayerIndex>> = {
  "content past the stream's end": indexOf({ ...one, offset: 2039 }),
  "content far past the stream's end": indexOf({ ...one, offset: 2 ** 52 }),
  "a size that is not what is stored": indexOf({ ...one, size: 11 }),
  "segments that overlap": indexOf({
    ...one,
    segments: [
      { offset: 0, length: 5 },
      { offset: 4, length: 5 },
    ],
  }),
  "segments that are fewer bytes than stored": indexOf({ ...one, segments: [{ offset: 0, length: 9 }] }),
  "a segment past the size": indexOf({ ...one, segments: [{ offset: 1, length: 10 }] }),
  "an empty segment": indexOf({
    ...one,
    segments: [
      { offset: 0, length: 10 },
      { offset: 10, length: 0 },
    ],
  }),
  "a mode with a type": indexOf({ ...one, mode: 0o100644 }),
  "a uid of 33 bits": indexOf({ ...one, uid: 2 ** 32 }),
  "a second's worth of nanoseconds": indexOf({ ...one, mtime: { seconds: 0, nanoseconds: 1e9 } }),
  "a time that is no integer": indexOf({ ...one, mtime: { seconds: 0.5, nanoseconds: 0 } }),
  "a time that is no number": indexOf({ ...one, mtime: { seconds: Number.NaN, nanoseconds: 0 } }),
  "no path": indexOf({ ...one, path: utf8Bytes("") }),
  "a NUL in the path": indexOf({ ...one, path: utf8Bytes("a\0") }),
  "xattrs out of order": indexOf({ ...one, xattrs: [x("user.b"), x("user.a")] }),
  "an xattr twice": indexOf({ ...one, xattrs: [x("user.a"), x("user.a")] }),
  "a symlink to nothing": indexOf({ ...one, kind: "symlink", target: utf8Bytes("") }),
  "a major of 13 bits": indexOf({ ...one, kind: "block", major: 4096, minor: 0 }),
  "a minor of 21 bits": indexOf({ ...one, kind: "block", major: 0, minor: 2 ** 20 }),
  "a loss of an entry that is not there": indexOf(one, {
    losses: [{ kind: "XATTR_NAMESPACE", path: utf8Bytes("f"), entryNumber: 2, detail: "" }],
  }),
  "negative inflated bytes": indexOf({ ...one, kind: "fifo" }, { inflatedBytes: -1 }),
};

for (const [what, index] of Object.entries(hostile)) {
  test(`useless: ${what}`, () => assert.equal(decode(encodeIndex(index), index), undefined));
}

test("useful: the same without a fault", () => {
  const index = indexOf(one);
  assert.deepEqual(decode(encodeIndex(index), index), index);
});

test("useless: another blob, another diffID, another version, counts that do not match", () => {
  const index = indexOf(one);
  const file = encodeIndex(index);
  assert.equal(decode(file, { ...index, blobDigest: index.diffId }), undefined);
  assert.equal(decode(file, { ...index, diffId: index.blobDigest }), undefined);
  const footer = file.length - 32 - 21;
  for (const [what, at] of Object.entries({
    version: 8,
    entries: footer + 8,
    files: footer + 12,
    losses: footer + 16,
  })) {
    for (const count of [0, 2, 0xffff_ffff]) {
      const changed = Buffer.from(file);
      changed.writeUInt32LE(what === "losses" && count === 0 ? 3 : count, at);
      assert.equal(decode(resealed(changed), index), undefined, what);
    }
  }
});
