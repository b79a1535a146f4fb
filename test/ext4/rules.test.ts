import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { utf8Bytes, type ByteString } from "../../src/base/bytes.ts";
import type { RootfsBuilder } from "../../src/ext4/builder.ts";
import { makeDirectBuilder } from "../../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import type { DirectoryInode, Inode, ScannedBlob, RootTree } from "../../src/layers/root-tree.ts";
import { makeScanPool } from "../../src/layers/scan.ts";
import { everyInode } from "../../src/layers/tree-walk.ts";
import { writeLayout } from "../fakes/registry/images.ts";
import { sections } from "../layers/rules/all.ts";
import { runBanger } from "../layers/rules/run-banger.ts";
import { differences } from "../system/host-tree.ts";
import { readMounted } from "../system/mounted.ts";
import { buildAndInspect, inputFor, workFolder } from "./build-rig.ts";
import { buildTree, dir } from "./tree-builder.ts";

interface Forest {
  readonly tree: RootTree;
  readonly layers: readonly ScannedBlob[];
}

/** Bytes of one case's files, holes included, that are read through a mount. */
const mostBytes = 64 * 1024 * 1024;

/** Every case of the layer rules that is kept, each a folder of one tree, as one image each would take minutes. */
async function forestOfRules(folder: string): Promise<{ forest: Forest; cases: number }> {
  await using pool = makeScanPool();
  const trees: Forest[] = [];
  for (const { rules } of sections) {
    for (const { cases } of rules) {
      for (const example of cases) {
        if (example.slow === true || example.banger.refused !== undefined) continue;
        const layout = join(folder, `layout-${trees.length}`);
        await writeLayout(layout, { latest: example.image });
        const result = await runBanger(layout, pool, join(layout, "cache"));
        if (result.tree !== undefined && bytesOf(result.tree) < mostBytes) trees.push(result);
      }
    }
  }
  return { forest: planted(trees), cases: trees.length };
}

function bytesOf(tree: RootTree): number {
  let bytes = 0;
  for (const { inode } of everyInode(tree.root)) bytes += inode.kind === "file" ? inode.size : 0;
  return bytes;
}

function planted(trees: readonly Forest[]): Forest {
  const layers: ScannedBlob[] = [];
  const children = new Map<ByteString, Inode>();
  for (const [at, { tree, layers: own }] of trees.entries()) {
    children.set(utf8Bytes(`case-${at}`), moved(tree.root, layers.length, new Map()));
    layers.push(...own);
  }
  const empty = buildTree(dir()).tree;
  const root: DirectoryInode = { ...empty.root, children, linkCount: 2 + children.size };
  const sum = (of: (tree: RootTree) => number): number => trees.reduce((all, { tree }) => all + of(tree), 0);
  const inodeCount = 1 + sum((tree) => tree.inodeCount);
  return { tree: { ...empty, root, inodeCount, contentBytes: sum((tree) => tree.contentBytes) }, layers };
}

/** The same inode, with its layer so many further; several names of it stay names of one. */
function moved(inode: Inode, by: number, known: Map<Inode, Inode>): Inode {
  const there = known.get(inode);
  if (there !== undefined) return there;
  const made: Inode =
    inode.kind === "file"
      ? { ...inode, content: { ...inode.content, layer: inode.content.layer + by } }
      : inode.kind === "directory"
        ? {
            ...inode,
            children: new Map([...inode.children].map(([name, child]) => [name, moved(child, by, known)])),
          }
        : inode;
  known.set(inode, made);
  return made;
}

test("what every rule keeps, each builder builds, and the kernel reads the same of both", async (t) => {
  await using folder = workFolder();
  const { forest, cases } = await forestOfRules(folder.path);
  t.diagnostic(`${cases} cases, ${forest.tree.inodeCount} inodes, ${forest.layers.length} layers`);
  assert.ok(cases > 80, `${cases} cases`);
  const images: string[] = [];
  for (const builder of [e2fsprogsBuilder, makeDirectBuilder()] satisfies readonly RootfsBuilder[]) {
    const target = join(folder.path, `${builder.name}.ext4`);
    const input = await inputFor(buildTree(dir()), folder.path, { ...forest, target });
    const { verdict } = await buildAndInspect(input, builder);
    assert.deepEqual(verdict.differences, []);
    assert.deepEqual([verdict.fsck.clean, verdict.fsck.problems], [true, []]);
    images.push(target);
  }
  if (process.getuid?.() !== 0) return;
  const [one = new Map(), other = new Map()] = images.map(readMounted);
  assert.ok(one.size > forest.tree.inodeCount / 2);
  assert.deepEqual(differences(one, other), []);
});
