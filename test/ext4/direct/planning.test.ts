import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasReason } from "../../../src/base/error.ts";
import { runThrough } from "../../../src/base/slices.ts";
import { Column } from "../../../src/ext4/direct/column.ts";
import { runAt, runCount, type PackedRuns } from "../../../src/ext4/direct/content-runs.ts";
import { FreeSpace } from "../../../src/ext4/direct/free-space.ts";
import { layOutGroups } from "../../../src/ext4/direct/group-layout.ts";
import { inodeNumber, numberInodes, ordinalAt, usedInodes } from "../../../src/ext4/direct/inode-numbers.ts";
import type { LayoutPlan } from "../../../src/ext4/direct/plan.ts";
import { planLayout } from "../../../src/ext4/direct/plan-layout.ts";
import { listInodes } from "../../../src/ext4/direct/inode-list.ts";
import { LayerFiles } from "../../../src/ext4/direct/layer-files.ts";
import { sortByOffset } from "../../../src/ext4/direct/sort-by-offset.ts";
import { sortIndices } from "../../../src/ext4/direct/sort-indices.ts";
import { blocksPerGroup, hasBackup } from "../../../src/ext4/geometry.ts";
import { spaceNeeds } from "../../../src/ext4/space-needs.ts";
import { noise, sampleTree } from "../sample-tree.ts";
import { buildTree, dir, file, sparse, type BuiltTree } from "../tree-builder.ts";
import { hashSeed, uuid } from "./write-image.ts";

function planOf({ tree }: BuiltTree, layerCount = 2, sizeBytes?: number): LayoutPlan {
  return runThrough(planLayout({ tree, layerCount, sizeBytes, uuid, hashSeed }));
}

function runsOf(runs: PackedRuns | undefined): readonly (readonly [number, number, number])[] {
  if (runs === undefined) return [];
  return Array.from({ length: runCount(runs) }, (_, i) => {
    const { source, target, bytes } = runAt(runs, i);
    return [source, target, bytes] as const;
  });
}

test("files lie on the disk as they lie in their layer, whatever their names", () => {
  const built = buildTree(
    dir({ c: file(noise(5000)), b: file(noise(100)), a: file(noise(4096)), z: file("") }),
  );
  const places = [
    { layer: 0, offset: 9000 },
    { layer: 0, offset: 512 },
    { layer: 0, offset: 2048 },
    { layer: 1, offset: 512 },
  ];
  for (const [i, inode] of [...built.stored.keys()].entries()) Object.assign(inode.content, places[i]);
  const { runsByLayer, contentBytes } = planOf(built);
  const [first, second] = runsByLayer;
  const start = runsOf(first)[0]?.[1] ?? 0;
  assert.equal(start % 4096, 0);
  assert.deepEqual(runsOf(first), [
    [512, start, 100],
    [2048, start + 4096, 4096],
    [9000, start + 8192, 5000],
  ]);
  assert.deepEqual(runsOf(second), [], "what is empty is nowhere");
  assert.equal(contentBytes, 5000 + 100 + 4096);
});

test("sorting by offset is sorting by comparing, at every size of offset", () => {
  const offset = fc.oneof(fc.nat(3000), fc.nat(), fc.maxSafeNat());
  fc.assert(
    fc.property(fc.array(offset, { maxLength: 200 }), (offsets) => {
      const expected = offsets.map((_, i) => i).sort((a, b) => (offsets[a] ?? 0) - (offsets[b] ?? 0));
      assert.deepEqual([...runThrough(sortByOffset(Float64Array.from(offsets)))], expected);
    }),
    { seed: 11, numRuns: 500 },
  );
});

test("what the listed tree needs is what the tree needs, with and without a lost+found of its own", () => {
  for (const { tree } of [
    sampleTree(),
    buildTree(dir({})),
    buildTree(dir({ "lost+found": dir({ found: file(noise(9000)) }), a: dir({ b: file("b") }) })),
  ]) {
    assert.deepEqual(runThrough(listInodes(tree)).needs, runThrough(spaceNeeds(tree)));
  }
});

test("the files of a layer are kept with what their places follow from, however many they are", () => {
  const { stored } = buildTree(
    dir({ plain: file(noise(10)), holes: sparse(9000, [{ offset: 4096, bytes: noise(5) }]) }),
  );
  const [plain, holes] = [...stored.keys()];
  assert.ok(plain !== undefined && holes !== undefined);
  const files = new LayerFiles();
  for (let i = 0; i < 200; i++) {
    const inode = i % 3 === 0 ? holes : plain;
    files.add(7 * i, { ...inode, content: { ...inode.content, offset: 2 ** 40 - i } });
  }
  assert.equal(files.length, 200);
  assert.deepEqual([files.ordinal(199), files.offset(199), files.size(199)], [1393, 2 ** 40 - 199, 10]);
  assert.equal(files.size(198), undefined, "sparse");
  assert.equal(files.offsets().length, 200);
  assert.throws(() => files.ordinal(200), RangeError);
});

test("a file of a layer that is not there is a defect", () => {
  const built = buildTree(dir({ a: file("a") }));
  for (const inode of built.stored.keys()) Object.assign(inode.content, { layer: 2, offset: 512 });
  assert.throws(
    () => planOf(built),
    (error) => hasReason(error, "INTERNAL"),
  );
});

test("the pieces of a sparse file keep their places within its blocks", () => {
  const pieces = [
    { offset: 10, bytes: noise(20) },
    { offset: 100, bytes: noise(5000) },
    { offset: 40_000, bytes: noise(1) },
  ];
  const { runsByLayer } = planOf(buildTree(dir({ s: sparse(1e9, pieces) })), 1);
  const runs = runsOf(runsByLayer[0]);
  const start = (runs[0]?.[1] ?? 0) - 10;
  assert.deepEqual(runs, [
    [512, start + 10, 20],
    [532, start + 100, 5000],
    [5532, start + 8192 + (40_000 % 4096), 1],
  ]);
});

test("a run ends where a copy of the superblock is in the way", () => {
  const bytes = 200 * 1024 * 1024;
  const { runsByLayer } = planOf(buildTree(dir({ f: file(Buffer.alloc(bytes)) })), 1);
  const runs = runsOf(runsByLayer[0]);
  assert.equal(runs.length, 2);
  assert.equal(
    runs.reduce((sum, [, , length]) => sum + length, 0),
    bytes,
  );
  assert.ok((runs[1]?.[1] ?? 0) > blocksPerGroup * 4096);
  const [[source0, , bytes0] = [0, 0, 0], [source1] = [0]] = runs;
  assert.equal(source0 + bytes0, source1);
});

test("files that share bytes of a layer, or stem from none, are a defect", () => {
  const shared = buildTree(dir({ a: file("xy"), b: file("yz") }));
  assert.throws(
    () => planOf(shared),
    (error) => hasReason(error, "INTERNAL"),
  );
  assert.throws(
    () => planOf(buildTree(dir({ a: file("x") })), 0),
    (error) => hasReason(error, "INTERNAL"),
  );
});

test("two plans of the same tree are equal", () => {
  const one = planOf(lone(sampleTree()), 1);
  const two = planOf(lone(sampleTree()), 1);
  assert.deepEqual(one, two);
});

/** Each file at an offset of its own. */
function lone(built: BuiltTree): BuiltTree {
  let offset = 0;
  for (const [inode, bytes] of built.stored) {
    Object.assign(inode.content, { offset });
    offset += bytes.length;
  }
  return built;
}

test("inode numbers and ordinals are each other's inverse, and every group keeps room", () => {
  for (const [blocks, inodes, count] of [
    [20_000, 5000, 1000],
    [20_000, 5000, 4990],
    [3_000_000, 200_000, 150_000],
    [3_000_000, 200_000, 199_990],
    [3_000_000, 92, 80],
  ] as const) {
    const layout = layOutGroups(
      { blocks, inodes, sizeBytes: blocks * 4096, journalMiB: 4 },
      new FreeSpace(blocks),
    );
    const numbers = numberInodes(layout, count);
    const seen = new Set<number>();
    for (let ordinal = 0; ordinal < count; ordinal++) {
      const number = inodeNumber(numbers, ordinal);
      const group = Math.floor((number - 1) / layout.inodesPerGroup);
      assert.equal(ordinalAt(numbers, group, (number - 1) % layout.inodesPerGroup), ordinal);
      assert.ok((number - 1) % layout.inodesPerGroup < usedInodes(numbers, group));
      seen.add(number);
    }
    assert.equal(seen.size, count);
    assert.equal(inodeNumber(numbers, 0), 2);
    assert.equal(inodeNumber(numbers, 1), 11);
    const used = Array.from({ length: layout.groups }, (_, group) => usedInodes(numbers, group));
    assert.equal(
      used.reduce((sum, n) => sum + n),
      numbers.used,
    );
    const isFull = numbers.used > layout.groups * layout.inodesPerGroup * 0.75;
    assert.ok(isFull || used.every((n) => n <= layout.inodesPerGroup * 0.75));
  }
});

test("groups of 32,768 inodes: tables that do not fit into the first group go on behind the next copy", () => {
  const blocks = 40 * blocksPerGroup;
  const free = new FreeSpace(blocks);
  const inodes = 40 * 32_752;
  const layout = layOutGroups({ blocks, inodes, sizeBytes: blocks * 4096, journalMiB: 4 }, free);
  const taken = new Uint8Array(blocks);
  const take = (start: number, length: number): void => {
    for (let block = start; block < start + length; block++) {
      assert.equal(taken[block], 0, `block ${block} is taken twice`);
      taken[block] = 1;
    }
  };
  for (let group = 0; group < 40; group++) {
    const head = 1 + layout.descriptorBlocks + layout.reservedDescriptorBlocks;
    if (hasBackup(group)) take(group * blocksPerGroup, head);
    take(layout.blockBitmaps[group] ?? 0, 1);
    take(layout.inodeBitmaps[group] ?? 0, 1);
    take(layout.inodeTables[group] ?? 0, layout.inodesPerGroup / 16);
  }
  for (const { start, length } of free.between(0, blocks)) take(start, length);
  assert.ok(taken.every((one) => one === 1));
});

test("free space is handed out once, in order, and together where asked", () => {
  const free = new FreeSpace(100);
  free.takeAt(10, 5);
  free.takeAt(50, 1);
  assert.deepEqual(free.take(4), { start: 0, length: 4 });
  assert.equal(free.takeTogether(20), 15);
  assert.equal(free.takeTogether(20, 60), 60);
  assert.equal(free.takeTogether(60), undefined);
  assert.deepEqual(free.take(100), { start: 4, length: 6 });
  assert.deepEqual(
    [...free.between(0, 90)],
    [
      { start: 35, length: 15 },
      { start: 51, length: 9 },
      { start: 80, length: 10 },
    ],
  );
  assert.throws(
    () => free.takeAt(50, 1),
    (error) => hasReason(error, "INTERNAL"),
  );
  for (let left = 15 + 9 + 20; left > 0;) left -= free.take(left).length;
  assert.throws(
    () => free.take(1),
    (error) => hasReason(error, "INTERNAL"),
  );
});

test("sorting pauses, is right and is stable", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 5 }), { maxLength: 50 }),
      fc.integer({ min: 1, max: 1500 }),
      (few, times) => {
        const keys = Array.from({ length: few.length * times }, (_, i) => few[(i * 7) % few.length] ?? 0);
        const order = runThrough(sortIndices(keys.length, (a, b) => (keys[a] ?? 0) - (keys[b] ?? 0)));
        const expected = keys.map((key, i) => ({ key, i })).toSorted((a, b) => a.key - b.key);
        assert.deepEqual(
          [...order],
          expected.map(({ i }) => i),
        );
      },
    ),
    { numRuns: 30 },
  );
  const work = sortIndices(100_000, (a, b) => b - a);
  let pauses = 0;
  while (work.next().done !== true) pauses++;
  assert.ok(pauses > 20);
});

test("a column grows, and has nothing past its end", () => {
  const column = new Column(1);
  for (let i = 0; i < 1000; i++) assert.equal(column.push(2 ** 32 - 1 - i), i);
  assert.equal(column.at(999), 2 ** 32 - 1000);
  assert.throws(() => column.at(1000), RangeError);
  assert.throws(() => column.set(1000, 1), RangeError);
});
