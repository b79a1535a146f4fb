import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { LayerIndex } from "../../src/layers/layer-index.ts";
import type { Inode } from "../../src/layers/root-tree.ts";
import { everyName } from "../../src/layers/tree-walk.ts";
import { mergeOnDisk } from "./disk-merge.ts";
import {
  dir,
  file,
  hardlink,
  layer,
  merge,
  opaque,
  symlink,
  textOf,
  whiteout,
  type Part,
} from "./index-builder.ts";
import { naiveMerge, type Mistake, type NaiveResult } from "./naive-merge.ts";
import { layersOf, randomParts, shownParts, withoutRefused } from "./random-layers.ts";

const seed = 20_260_102;
const uid = process.getuid?.() ?? 0;
/** Only root may give files away. */
const parts = randomParts({ owners: uid === 0 ? [0, 1, 7] : [uid], xattrs: false });

function onDisk(layers: readonly LayerIndex[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "banger-merge-"));
  try {
    return mergeOnDisk(folder, layers);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function inTree(layers: readonly LayerIndex[]): string[] {
  const first = new Map<Inode, string>();
  const lines: string[] = [];
  for (const { path, inode } of everyName(merge(layers).root)) {
    const shown = `/${textOf(path)}`;
    const known = first.get(inode);
    first.set(inode, known ?? shown);
    lines.push(known === undefined ? `${shown} ${inodeText(inode)}` : `${shown} = ${known}`);
  }
  return lines;
}

function inodeText(inode: Inode): string {
  const { kind, mode, mtime, linkCount } = inode;
  const owner = `${mode.toString(8)} ${inode.uid}:${inode.gid}`;
  const links = `links=${linkCount}`;
  if (kind === "directory") return `directory ${owner} ${mtime.seconds}`;
  if (kind === "symlink") return `symlink ${owner} ${mtime.seconds} ${links} ${inode.target}`;
  const content = kind === "file" ? inode.content.sha256.toString("hex") : "";
  return `file ${owner} ${mtime.seconds} ${links} ${content}`;
}

/** What plain system calls can't show: there the naive model must say the same without it, or the case is left out. */
const beyondDisk: readonly Mistake[] = [
  "a hard link does not wait for its target",
  "what a marker hides can't be linked to",
  "a marker does not see its own layer's links and directories",
];

function shows(result: NaiveResult): string {
  return JSON.stringify([...result.names].map(([path, { inode }]) => [path, inode]));
}

function isPlain(layers: readonly LayerIndex[]): boolean {
  try {
    return shows(naiveMerge(layers, ...beyondDisk)) === shows(naiveMerge(layers));
  } catch {
    return false;
  }
}

function usable(list: readonly (readonly Part[])[]): Part[][] {
  const plain = list.map((entries) => entries.filter(({ kind }) => kind !== "fifo"));
  return withoutRefused(owned(plain));
}

/** Somebody who is not root owns all that is made, the root directory of the tree too. */
function owned(list: Part[][]): Part[][] {
  return uid === 0 ? list : [[dir("./", { uid, gid: process.getgid?.() ?? 0 })], ...list];
}

function assertAlike(
  list: readonly (readonly Part[])[],
  change: (layers: LayerIndex[]) => LayerIndex[],
): void {
  const layers = layersOf(list);
  assert.deepEqual(inTree(change(layers)), onDisk(layers), shownParts(list));
}

test(
  "merging random layers equals what the kernel makes of them in a real directory",
  { skip: uid !== 0 },
  () => {
    fc.assert(
      fc.property(parts, (list) => {
        const kept = usable(list);
        fc.pre(isPlain(layersOf(kept)));
        assertAlike(kept, (layers) => layers);
      }),
      { seed, numRuns: 400 },
    );
  },
);

test(
  "the comparison with a real directory fails when an entry is left out, or one is added",
  { skip: uid !== 0 },
  () => {
    const lower = [file("usr/lib/a", "1"), symlink("lib", "usr/lib"), hardlink("z", "lib/a"), file("d/x")];
    const upper = [whiteout("lib/a"), opaque("d"), file("d/n", "2"), file("lib/b"), hardlink("c", "lib/b")];
    const list = [lower, upper];
    assertAlike(list, (layers) => layers);
    for (const [i, entries] of list.entries()) {
      for (const [j, { path }] of entries.entries()) {
        // Hidden above, and its directory is needed there too.
        if (path === "d/x") continue;
        const less = layersOf(list.with(i, entries.toSpliced(j, 1)));
        assert.throws(() => assertAlike(list, () => less), Error, `${path} can be left out`);
      }
    }
    assert.throws(
      () => assertAlike(list, (layers) => [...layers, layer(file("more"))]),
      assert.AssertionError,
    );
  },
);
