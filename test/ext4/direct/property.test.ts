import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { storeXattrs } from "../../../src/layers/xattr-room.ts";
import { assertLikeDebugfs } from "../debugfs-oracle.ts";
import { Scratch } from "../image-maker.ts";
import { accessAcl } from "../sample-tree.ts";
import { bytesOf } from "../tree-layers.ts";
import {
  buildTree,
  device,
  dir,
  fifo,
  file,
  link,
  sparse,
  type Described,
  type Meta,
  type Piece,
} from "../tree-builder.ts";
import { inspect } from "./inspect.ts";
import { writeImage } from "./write-image.ts";

const MiB = 1024 ** 2;

const bytes = (max: number, min = 0): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((array) => Buffer.from(array));

/** Any bytes that a name may have. */
const name = fc
  .oneof(bytes(12, 1), bytes(255, 200))
  .map((raw) => Buffer.from(raw.map((byte) => (byte === 0 || byte === 47 ? 95 : byte))).toString("latin1"))
  .filter((text) => text !== "." && text !== "..");

const id = fc.oneof(fc.constantFrom(0, 65_535, 65_536, 4_294_967_295), fc.nat({ max: 4_294_967_295 }));

const xattrs = fc
  .dictionary(
    fc.oneof(
      bytes(20, 1).map((raw) => `user.${raw.toString("latin1").replaceAll("\0", "n")}`),
      fc.constantFrom("security.capability", "security.selinux", "trusted.overlay.opaque", "user.shared"),
    ),
    fc.oneof(bytes(40), bytes(1500), fc.constant(Buffer.from("the same"))),
    { maxKeys: 5 },
  )
  .chain((some) => fc.constantFrom(some, { ...some, "system.posix_acl_access": accessAcl }))
  .map((some) => {
    const all = Object.entries(some).map(([key, value]) => ({ name: bytesOf(key), value }));
    const { kept } = storeXattrs(all.sort((a, b) => (a.name < b.name ? -1 : 1)));
    return Object.fromEntries(kept.map((xattr) => [xattr.name, xattr.value]));
  });

/**
 * All that ext4 holds, but for the years 2310 to 2378: e2fsck takes those, as long as it is not 2242, for dates before
 * 1970 that an old kernel wrote wrongly (e2fsck/pass1.c, `CHECK_INODE_EXTRA_NEGATIVE_EPOCH`).
 */
const seconds = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 3 * 2 ** 32 - 2 ** 31 - 1 }),
  fc.integer({ min: 3 * 2 ** 32, max: 3 * 2 ** 32 + 2 ** 31 - 1 }),
);

const meta: fc.Arbitrary<Meta> = fc.record({
  mode: fc.nat({ max: 0o7777 }),
  uid: id,
  gid: id,
  mtime: fc.record({
    seconds,
    nanoseconds: fc.nat({ max: 999_999_999 }),
  }),
  xattrs: fc.option(xattrs, { nil: {}, freq: 2 }),
});

/** Pieces that do not overlap, and a size behind the last. */
const pieces: fc.Arbitrary<{ readonly size: number; readonly pieces: readonly Piece[] }> = fc
  .tuple(
    fc.array(fc.tuple(fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 50_000 })), bytes(6000, 1)), {
      maxLength: 30,
    }),
    fc.nat({ max: 3 * MiB }),
  )
  .map(([parts, rest]) => {
    let end = 0;
    const made = parts.map(([gap, content]) => {
      const piece = { offset: end + gap, bytes: content };
      end = piece.offset + content.length;
      return piece;
    });
    return { size: end + rest, pieces: made };
  });

const leaf: fc.Arbitrary<Described> = fc.oneof(
  fc.tuple(bytes(20_000), meta).map(([content, more]) => file(content, more)),
  fc.tuple(pieces, meta).map(([{ size, pieces: some }, more]) => sparse(size, some, more)),
  fc
    .tuple(fc.oneof(bytes(70, 1), bytes(4095, 1)), meta)
    .map(([target, more]) => link(target.toString("latin1").replaceAll("\0", "0"), more)),
  fc
    .tuple(fc.constantFrom("character", "block"), fc.nat({ max: 4095 }), fc.nat({ max: 1_048_575 }), meta)
    .map(([kind, major, minor, more]) => device(kind, major, minor, more)),
  meta.map((more) => fifo(more)),
);

const directory: fc.Memo<Described> = fc.memo((depth) =>
  fc
    .tuple(
      fc.array(fc.tuple(name, depth <= 1 ? leaf : fc.oneof(leaf, directory(depth - 1))), { maxLength: 25 }),
      meta,
    )
    .map(([children, more]) => dir(Object.fromEntries(children), more)),
);

/** Some inodes under many more names: those of a whole directory. */
const linked = fc
  .tuple(fc.array(leaf, { minLength: 1, maxLength: 4 }), fc.uniqueArray(name, { maxLength: 400 }))
  .map(([inodes, names]) =>
    dir(Object.fromEntries(names.map((key, i) => [key, inodes[i % inodes.length] ?? fifo()]))),
  );

test("any tree reads back as it is", async () => {
  await fc.assert(
    fc.asyncProperty(
      directory(3),
      linked,
      fc.option(fc.integer({ min: 100, max: 40_000 })),
      async (top, many, mib) => {
        assert.ok(top.kind === "directory");
        using scratch = new Scratch();
        const built = buildTree({ ...top, children: { ...top.children, many } });
        const path = scratch.file("any.ext4");
        writeImage(built, path, mib === null ? {} : { sizeBytes: mib * MiB });
        await inspect(path, built);
        using image = Ext4Image.open(path);
        assertLikeDebugfs(scratch, path, image);
      },
    ),
    { numRuns: 40 },
  );
});
