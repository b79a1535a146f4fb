import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { hasReason } from "../../src/base/error.ts";
import type { LayerIndex, Xattr } from "../../src/layers/layer-index.ts";
import { everyName } from "../../src/layers/tree-walk.ts";
import { storeXattrs } from "../../src/layers/xattr-room.ts";
import { buildAndInspect, inputFor, rejection, workFolder } from "../ext4/build-rig.ts";
import {
  device,
  dir,
  fifo,
  file,
  hardlink,
  layer,
  merge,
  symlink,
  whiteout,
  type Part,
} from "./index-builder.ts";
import { assertRefused } from "./refusals.ts";

/** What the inode holds, and what the block holds besides: 16 bytes an entry, the name's after its namespace, the value's. */
const inInode = 256 - 160 - 8;
const inBlock = 4096 - 36;

const xattr = (name: string, value: Buffer | number): Xattr => ({
  name: utf8Bytes(name),
  value: typeof value === "number" ? Buffer.alloc(value, "v") : value,
});

/** An ACL with that many named users, in getxattr(2)'s form; the id of entries without one is `id`. */
function acl(users: number, id = 0xffffffff): Buffer {
  const head = Buffer.from("02000000", "hex");
  const entry = (tag: number, who: number): Buffer => {
    const out = Buffer.alloc(8);
    out.writeUInt16LE(tag, 0);
    out.writeUInt16LE(5, 2);
    out.writeUInt32LE(who, 4);
    return out;
  };
  const named = Array.from({ length: users }, (_, i) => entry(2, 1000 + i));
  return Buffer.concat([head, entry(1, id), ...named, entry(4, id), entry(0x10, id), entry(0x20, id)]);
}

const access = "system.posix_acl_access";
const standard = "system.posix_acl_default";

/** What an ACL with that many users takes: an entry without a name, a version, four short entries and the long ones. */
const aclBytes = (users: number): number => 16 + 4 + 4 * 4 + 8 * users;

const ofSize = (name: string, total: number): Xattr =>
  xattr(name, total - 16 - Math.ceil((name.length - name.indexOf(".") - 1) / 4) * 4);

interface Room {
  readonly what: string;
  readonly xattrs: readonly Xattr[];
  readonly dropped: readonly string[];
}

const rooms: readonly Room[] = [
  {
    what: "the inode and the block, both full",
    xattrs: [ofSize("user.a", inInode), ofSize("user.b", inBlock)],
    dropped: [],
  },
  {
    what: "both full, and one more without a value",
    xattrs: [ofSize("user.a", inInode), ofSize("user.b", inBlock), xattr("user.c", 0)],
    dropped: ["user.c"],
  },
  { what: "the block full, the inode free", xattrs: [ofSize("user.a", inBlock)], dropped: [] },
  { what: "four bytes more than the block", xattrs: [ofSize("user.a", inBlock + 4)], dropped: ["user.a"] },
  { what: "one byte more than the block", xattrs: [ofSize("user.a", inBlock + 1)], dropped: ["user.a"] },
  { what: "three bytes less, which are padding", xattrs: [ofSize("user.a", inBlock - 3)], dropped: [] },
  {
    what: "names are padded too",
    xattrs: [ofSize("user.abcde", inInode), ofSize("user.b", inBlock), xattr("user.c", 0)],
    dropped: ["user.c"],
  },
  {
    what: "first come, first served: what comes later and is small still fits",
    xattrs: [
      ofSize("security.a", inBlock - 40),
      ofSize("user.b", 92),
      ofSize("user.c", 40),
      ofSize("user.d", 48),
    ],
    dropped: ["user.b"],
  },
  {
    what: "the capability stays, whatever else there is",
    xattrs: [xattr("security.capability", 20), ofSize("user.a", inBlock), ofSize("user.b", inBlock)],
    dropped: ["user.b"],
  },
  { what: "a value of 64 KiB", xattrs: [xattr("user.a", 65_536), xattr("user.b", 1)], dropped: ["user.a"] },
  {
    what: "as many as the block has room for, and as the inode",
    xattrs: Array.from({ length: 206 }, (_, i) => xattr(`user.${String(i).padStart(3, "0")}`, 0)),
    dropped: [],
  },
  {
    what: "one more than that",
    xattrs: Array.from({ length: 208 }, (_, i) => xattr(`user.${String(i).padStart(3, "0")}`, 0)),
    dropped: ["user.207"],
  },
  { what: "the longest name", xattrs: [xattr(`user.${"n".repeat(250)}`, inBlock - 16 - 252)], dropped: [] },
  {
    what: "the longest name, four bytes too many",
    xattrs: [xattr(`user.${"n".repeat(250)}`, inBlock - 16 - 252 + 4)],
    dropped: [`user.${"n".repeat(250)}`],
  },
  { what: "an ACL counts as the disk has it", xattrs: [xattr(access, acl(503))], dropped: [] },
  { what: "an ACL of one user more", xattrs: [xattr(access, acl(504))], dropped: [access] },
  {
    what: "two ACLs and what is left",
    xattrs: [xattr(access, acl(6)), xattr(standard, acl(400)), ofSize("user.a", inBlock - aclBytes(400))],
    dropped: [],
  },
  {
    what: "two ACLs and four bytes more than what is left",
    xattrs: [xattr(access, acl(6)), xattr(standard, acl(400)), ofSize("user.a", inBlock - aclBytes(400) + 4)],
    dropped: ["user.a"],
  },
];

const text = (xattrs: readonly Xattr[]): string[] => xattrs.map(({ name }) => String(name));

for (const { what, xattrs, dropped } of rooms) {
  test(`room: ${what}`, () => {
    const stored = storeXattrs(xattrs);
    assert.deepEqual(text(stored.dropped), dropped);
    assert.deepEqual(
      stored.kept,
      xattrs.filter(({ name }) => !dropped.includes(name)),
    );
  });
}

const withXattrs = (part: Part, xattrs: readonly Xattr[]): Part => ({ ...part, xattrs });

const tooMuch = [ofSize("user.a", inBlock), xattr("user.b", 200), xattr("user.c", 1)];

test("what ext4 has no room for is left out, and listed with layer, entry and path", () => {
  const upper = layer(
    file("x"),
    withXattrs(dir("d"), tooMuch),
    withXattrs(symlink("d/l", "x"), tooMuch),
    withXattrs(device("n", "block", 1, 2), tooMuch),
  );
  const tree = merge([layer(dir("d")), upper]);
  assert.deepEqual(
    tree.losses.map(({ kind, path, entryNumber, layerDigest }) => [kind, path, entryNumber, layerDigest]),
    ["d", "d/l", "n"].map((path, i) => ["XATTR_TOO_LARGE", path, i + 2, upper.blobDigest]),
  );
  assert.match(tree.losses[0]?.detail ?? "", /^user\.b \(200 bytes\) was left out: /);
  for (const { path, inode } of everyName(tree.root))
    assert.deepEqual(text(inode.xattrs), ["d", "d/l", "n"].includes(path) ? ["user.a", "user.c"] : []);
});

test("xattrs of what is hidden in the end, or of a hard link's header, are no loss", () => {
  const lower = layer(withXattrs(file("a"), tooMuch), withXattrs(dir("d"), tooMuch), file("f"));
  const upper = layer(whiteout("a"), dir("d"), withXattrs(hardlink("h", "f"), tooMuch));
  assert.deepEqual(merge([lower, upper]).losses, []);
});

test("an ACL keeps its entries; an id that means nothing is as the disk will give it back", () => {
  const tree = merge([layer(withXattrs(file("f"), [xattr(access, acl(2, 0))]))]);
  const [stored] = [...tree.root.children.values()][0]?.xattrs ?? [];
  assert.equal(stored?.value.toString("hex"), acl(2).toString("hex"));
});

test("an ACL that Linux would not take is refused", () => {
  const wrong = acl(1);
  wrong.writeUInt16LE(3, 4);
  for (const value of [
    Buffer.alloc(0),
    acl(1).subarray(0, 4),
    acl(1).subarray(0, 11),
    Buffer.concat([Buffer.from([1]), acl(1).subarray(1)]),
    wrong,
  ]) {
    assertRefused([layer(file("ok"), withXattrs(dir("d"), [xattr(standard, value)]))], {
      rule: "acl-malformed",
      entry: 2,
      reason: "LAYER_INVALID",
    });
  }
});

function partOf({ xattrs }: Room, at: number): Part {
  const name = `n${at}`;
  const kinds = [file(name), dir(name), symlink(name, "t".repeat(at * 7 + 1)), fifo(name)];
  return withXattrs(kinds[at % kinds.length] ?? file(name), xattrs);
}

async function buildOf(index: LayerIndex): Promise<Awaited<ReturnType<typeof buildAndInspect>>> {
  await using folder = workFolder();
  return await buildAndInspect(await inputFor({ tree: merge([index]), stored: new Map() }, folder.path));
}

test("all that flattening lets through, debugfs has room for", async () => {
  const { verdict } = await buildOf(layer(...rooms.map(partOf)));
  assert.deepEqual(verdict.differences, []);
  assert.ok(verdict.fsck.clean);
});

test("what flattening leaves out, debugfs has no room for", async () => {
  const full = ["one byte more than the block", "one more than that", "an ACL of one user more"];
  const chosen = rooms.filter(({ what }) => full.includes(what));
  assert.equal(chosen.length, full.length);
  for (const room of chosen) {
    await using folder = workFolder();
    const tree = merge([layer(file("f"))]);
    const inode = [...tree.root.children.values()][0];
    assert.ok(inode !== undefined);
    Object.assign(inode, { xattrs: room.xattrs });
    const build = buildAndInspect(await inputFor({ tree, stored: new Map() }, folder.path));
    assert.ok(hasReason(await rejection(build), "E2FSPROGS_FAILED"), room.what);
  }
});
