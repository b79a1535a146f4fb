import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BangerError } from "../../src/base/error.ts";
import type { LayerIndex } from "../../src/layers/layer-index.ts";
import type { Inode, RootTree } from "../../src/layers/root-tree.ts";
import { everyName } from "../../src/layers/tree-walk.ts";
import { file, layer, layerOf, listing, merge, whiteout, type Part } from "./index-builder.ts";
import { mistakes, naiveMerge, NaiveRefusal, type Mistake, type NaiveInode } from "./naive-merge.ts";
import { layersOf, randomParts, shownParts, withoutRefused } from "./random-layers.ts";

/** Fixed, so that a run can be had again; fast-check prints it with every counterexample. */
const seed = 20_260_101;
const parts = randomParts({ owners: [0, 1, 7], xattrs: true });

/** One text for all that a merge gives, refusals included. */
function flattened(layers: readonly LayerIndex[]): string {
  try {
    return textOf(merge(layers), layers);
  } catch (error) {
    if (!(error instanceof BangerError)) throw error;
    const { facts } = error;
    const at = layers.findIndex(({ blobDigest }) => blobDigest === facts["layer"]);
    return `refused: ${facts["rule"]} ${at}/${facts["entry"]}`;
  }
}

function textOf(tree: RootTree, layers: readonly LayerIndex[]): string {
  const first = new Map<Inode, string>();
  const lines: string[] = [];
  let inodes = 0;
  for (const { path, inode } of everyName(tree.root)) {
    const known = first.get(inode);
    if (known === undefined) inodes++;
    first.set(inode, known ?? path);
    lines.push(known === undefined ? `${path} ${inodeText(inode)}` : `${path} = ${known}`);
  }
  assert.equal(tree.inodeCount, inodes);
  const losses = tree.losses.map(
    (loss) =>
      `${loss.kind} ${layers.findIndex(({ blobDigest }) => blobDigest === loss.layerDigest)}/${loss.entryNumber} ${loss.path}`,
  );
  return [...lines, ...losses, `bytes ${tree.contentBytes}`, `hidden ${tree.hiddenEntries}`].join("\n");
}

function inodeText(inode: Inode): string {
  const { kind, mode, uid, gid, mtime, xattrs, origin, linkCount } = inode;
  const shown = xattrs.map(({ name, value }) => ` ${name}=${value.toString("hex")}`).join("");
  const data = kind === "file" ? `${inode.size} ${inode.content.sha256.toString("hex")}` : "";
  const target = kind === "symlink" ? inode.target : "";
  const meta = `${mode.toString(8)} ${uid}:${gid} ${mtime.seconds}.${mtime.nanoseconds}${shown}`;
  return `${kind} ${meta} [${data}${target}] from ${origin.layer}/${origin.entry} links ${linkCount}`;
}

function naive(layers: readonly LayerIndex[], ...done: readonly Mistake[]): string {
  try {
    const { names, losses, hiddenEntries } = naiveMerge(layers, ...done);
    const paths = [...names.keys()].sort((a, b) => compare(a.split("/"), b.split("/")));
    const first = new Map<NaiveInode, string>();
    const counts = new Map<NaiveInode, number>();
    for (const [path, { inode }] of names) {
      counts.set(inode, (counts.get(inode) ?? (inode.kind === "directory" ? 1 : 0)) + 1);
      const parent =
        path === "" ? undefined : names.get(path.slice(0, Math.max(0, path.lastIndexOf("/"))))?.inode;
      if (inode.kind === "directory" && parent !== undefined)
        counts.set(parent, (counts.get(parent) ?? 1) + 1);
    }
    let bytes = 0;
    const lines = paths.map((path) => {
      const { inode } = names.get(path) ?? assert.fail();
      const known = first.get(inode);
      if (known !== undefined) return `${path} = ${known}`;
      first.set(inode, path);
      bytes += inode.bytes;
      const { kind, meta, data, target, origin } = inode;
      return `${path} ${kind} ${meta} [${data}${target}] from ${origin} links ${counts.get(inode)}`;
    });
    return [...lines, ...losses, `bytes ${bytes}`, `hidden ${hiddenEntries}`].join("\n");
  } catch (error) {
    if (!(error instanceof NaiveRefusal)) throw error;
    return `refused: ${error.rule} ${error.layer}/${error.entry}`;
  }
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [i, part] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    if (part !== other) return part < other ? -1 : 1;
  }
  return a.length - b.length;
}

function assertAlike(list: readonly (readonly Part[])[], ...done: readonly Mistake[]): void {
  const layers = layersOf(list);
  assert.equal(flattened(layers), naive(layers, ...done), shownParts(list));
}

test("merging random layers equals the naive model, refusals included", () => {
  fc.assert(
    fc.property(parts, (list) => assertAlike(list)),
    { seed, numRuns: 2000 },
  );
});

test("merging random layers that nothing refuses equals the naive model", () => {
  fc.assert(
    fc.property(parts, (list) => assertAlike(withoutRefused(list))),
    { seed, numRuns: 2000 },
  );
});

test("the comparison fails for each of the naive model's deliberate mistakes", () => {
  for (const mistake of mistakes) {
    const result = fc.check(
      fc.property(parts, (list) => assertAlike(withoutRefused(list), mistake)),
      { seed, numRuns: 3000, endOnFailure: true },
    );
    assert.ok(result.failed, `not noticed: ${mistake}`);
  }
});

test("merging associates: two layers merged and made one layer again change nothing", () => {
  fc.assert(
    fc.property(parts, fc.nat(3), (list, cut) => {
      const layers = layersOf(withoutRefused(list));
      const tree = merge(layers.slice(0, cut));
      // A root of no entry stays one: an entry would give it another origin, and the same metadata.
      const again = merge([layerOf(tree), ...layers.slice(cut)]);
      assert.deepEqual(listing(again), listing(merge(layers)), shownParts(list));
    }),
    { seed, numRuns: 800 },
  );
});

test("what a layer's markers hide does not depend on where in the archive they stand", () => {
  fc.assert(
    fc.property(parts, fc.infiniteStream(fc.nat()), (list, numbers) => {
      const clean = withoutRefused(list);
      const last = clean.at(-1) ?? [];
      const markers = last.filter(({ path }) => path.includes(".wh."));
      const others = last.filter(({ path }) => !path.includes(".wh."));
      const below = clean.slice(0, -1);
      for (const marker of markers)
        others.splice((numbers.next().value ?? 0) % (others.length + 1), 0, marker);
      const moved = merge(layersOf([...below, others]));
      assert.deepEqual(listing(moved), listing(merge(layersOf(clean))), shownParts(clean));
    }),
    { seed, numRuns: 800 },
  );
});

test("a layer without entries changes nothing, wherever it is put in", () => {
  fc.assert(
    fc.property(parts, fc.nat(4), (list, at) => {
      const layers = layersOf(withoutRefused(list));
      const more = layers.toSpliced(at, 0, layer());
      assert.deepEqual(listing(merge(more)), listing(merge(layers)));
    }),
    { seed, numRuns: 300 },
  );
});

test("hiding everything leaves the root, and no entry of the layers below alive but the root's", () => {
  fc.assert(
    fc.property(parts, (list) => {
      const layers = layersOf(withoutRefused(list));
      const tree = merge([
        ...layers,
        layer(whiteout("none"), { ...file("x"), path: file(".wh..wh..opq").path }),
      ]);
      assert.equal(tree.inodeCount, 1);
      assert.equal(tree.contentBytes, 0);
    }),
    { seed, numRuns: 300 },
  );
});
