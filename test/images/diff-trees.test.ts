import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { runThrough } from "../../src/base/slices.ts";
import { changedFields, diffTrees, type DiffOptions, type TreeDiff } from "../../src/images/diff-trees.ts";
import type { RootTree } from "../../src/layers/root-tree.ts";
import { everyName } from "../../src/layers/tree-walk.ts";
import {
  device,
  dir,
  fifo,
  file,
  hardlink,
  layer,
  merge,
  sparse,
  symlink,
  type Part,
} from "../layers/index-builder.ts";

const wide: DiffOptions = { limit: 1e6, ignoreTimes: false, limitBytes: 1e9 };

function diff(before: readonly Part[], after: readonly Part[], options: Partial<DiffOptions> = {}): TreeDiff {
  const root = dir("./");
  const trees = [merge([layer(root, ...before)]), merge([layer(root, ...after)])] as const;
  return runThrough(diffTrees(...trees, { ...wide, ...options }));
}

/** As `+ path`, `- path`, `path: field before -> after`. */
function lines({ changes }: TreeDiff): readonly string[] {
  return changes.flatMap(({ path, before, fields }) => {
    if (fields.length === 0) return [`${before === undefined ? "+" : "-"} ${path}`];
    return fields.map((one) => `${path}: ${one.field} ${one.before} -> ${one.after}`);
  });
}

test("each property of a path that differs is told, and no other", () => {
  const xattrs = { "user.a": "1", "user.b": "x", "user.same": "s" };
  const table: readonly (readonly [Part, Part, readonly string[]])[] = [
    [file("f", "same"), file("f", "same"), []],
    [file("f", "one"), file("f", "two"), ["content sha256:7692c3ad… -> sha256:3fc4ccfe…"]],
    [file("f", "12"), file("f", "123"), ["size 2 -> 3", "content sha256:6b51d431… -> sha256:a665a459…"]],
    [file("f", "", { mode: 0o4755 }), file("f", "", { mode: 0o755 }), ["mode 4755 -> 0755"]],
    [file("f", "", { uid: 1 }), file("f", "", { gid: 2 }), ["owner 1:0 -> 0:2"]],
    [
      file("f", "", { mtime: { seconds: -1, nanoseconds: 5 } }),
      file("f", "", { mtime: 0 }),
      ["mtime 1969-12-31T23:59:59.000000005Z -> 1970-01-01T00:00:00.000000000Z"],
    ],
    [symlink("f", "a"), symlink("f", "b\u0001"), ["target a -> b\\x01"]],
    [device("f", "block", 8, 1), device("f", "block", 8, 2), ["device 8,1 -> 8,2"]],
    [device("f", "block", 8, 1), device("f", "character", 8, 1), ["type block -> character"]],
    [fifo("f"), dir("f", { mode: 0o644 }), ["type fifo -> directory"]],
    [sparse("f", 9, [{ offset: 1, length: 2 }]), sparse("f", 9, [{ offset: 1, length: 2 }]), []],
    [
      file("f", "", { xattrs }),
      file("f", "", { xattrs: { "user.a": "2", "user.c": "", "user.same": "s" } }),
      ["xattr user.a 0x31 -> 0x32", "xattr user.b 0x78 -> ", "xattr user.c  -> 0x"],
    ],
  ];
  for (const [before, after, expected] of table) {
    const found = diff([before], [after]);
    const short = lines(found).map((line) => line.replaceAll(/(sha256:[0-9a-f]{8})[0-9a-f]{56}/g, "$1…"));
    assert.deepEqual(
      short,
      expected.map((line) => `f: ${line}`),
    );
    assert.deepEqual([found.added, found.removed, found.changed], [0, 0, expected.length > 0 ? 1 : 0]);
  }
});

test("holes elsewhere are another content", () => {
  const found = diff(
    [sparse("f", 9, [{ offset: 1, length: 2 }])],
    [sparse("f", 9, [{ offset: 2, length: 2 }])],
  );
  assert.match(lines(found)[0] ?? "", /content sha256:\w+ at 1\+2 -> sha256:\w+ at 2\+2/);
});

test("whole folders come and go path by path, in the order of a walk", () => {
  const before = [dir("a"), file("a/x"), file("a-b"), file("kept"), hardlink("kept2", "kept")];
  const after = [dir("a-b"), file("a-b/y"), file("kept"), file("kept2"), file("a")];
  const found = diff(before, after);
  assert.deepEqual(lines(found), [
    "a: type directory -> file",
    "a: mode 0755 -> 0644",
    "- a/x",
    "a-b: type file -> directory",
    "a-b: mode 0644 -> 0755",
    "+ a-b/y",
  ]);
  assert.deepEqual([found.added, found.removed, found.changed], [1, 1, 2]);
});

test("times can be left out", () => {
  const before = [file("a", "", { mtime: 1 }), file("b", "1", { mtime: 1 })];
  const after = [file("a", "", { mtime: 2 }), file("b", "2", { mtime: 2 })];
  const found = diff(before, after, { ignoreTimes: true });
  assert.deepEqual(
    found.changes.map(({ path, fields }) => [path, fields.map(({ field }) => field)]),
    [["b", ["content"]]],
  );
  assert.equal(found.changed, 1);
});

test("a list that is cut has no gaps, and all is counted", () => {
  const names = Array.from({ length: 20 }, (_, at) => String.fromCharCode(97 + at));
  const all = names.map((name) => file(name));
  const cut = diff([], all, { limit: 5 });
  assert.deepEqual(
    lines(cut),
    names.slice(0, 5).map((name) => `+ ${name}`),
  );
  assert.deepEqual([cut.truncated, cut.added], [true, 20]);
  const exact = diff([], all, { limit: 20 });
  assert.deepEqual([exact.truncated, exact.changes.length], [false, 20]);
  const long = "l".repeat(100);
  const bytes = diff([], [file("a"), file(long), file("z")], { limitBytes: 50 });
  assert.deepEqual([lines(bytes), bytes.truncated, bytes.added], [["+ a"], true, 3]);
});

/** Names around the slash in the order of bytes, so that walks and sorted paths disagree. */
const name = fc.constantFrom("a", "a-", "a0", "b", "-");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const part = fc.oneof(
  fc.tuple(path, fc.constantFrom("", "1", "2")).map((given) => file(...given)),
  path.map((given) => dir(given)),
);
const parts = fc.array(part, { maxLength: 12 });

test("random trees: what a comparison of two tables of paths finds, no more and no less", () => {
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      const [before, after] = [merge([layer(dir("./"), ...one)]), merge([layer(dir("./"), ...other)])];
      const found = runThrough(diffTrees(before, after, wide));
      assert.deepEqual(new Set(found.changes.map((change) => change.path)), naive(before, after));
      assert.equal(found.changes.length, found.added + found.removed + found.changed);
      assert.deepEqual(runThrough(diffTrees(before, before, wide)).changes, []);
    }),
  );
});

function naive(before: RootTree, after: RootTree): ReadonlySet<string> {
  const [old, now] = [before, after].map(
    (tree) => new Map([...everyName(tree.root)].map((one) => [one.path, one.inode])),
  );
  const paths = new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])]);
  return new Set(
    [...paths].filter((path) => {
      const [was, is] = [old?.get(path), now?.get(path)];
      return was === undefined || is === undefined || changedFields(was, is).length > 0;
    }),
  );
}
