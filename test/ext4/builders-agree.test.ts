import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { makeDirectBuilder } from "../../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import type { BuildInput } from "../../src/ext4/builder.ts";
import type { RootTree } from "../../src/layers/root-tree.ts";
import { makeScanPool } from "../../src/layers/scan.ts";
import { everyName } from "../../src/layers/tree-walk.ts";
import { writeLayout } from "../fakes/registry/images.ts";
import { writeLayer } from "../layers/layer-blob.ts";
import { sections } from "../layers/rules/all.ts";
import type { Case } from "../layers/rules/rule.ts";
import { asHostTree, runBanger } from "../layers/rules/run-banger.ts";
import { debianLayers } from "../system/debian-image.ts";
import { differences, type HostEntry } from "../system/host-tree.ts";
import { readMounted } from "../system/mounted.ts";
import { buildAndInspect, inputFor, workFolder, type Folder } from "./build-rig.ts";
import { buildTree, dir } from "./tree-builder.ts";
import { treeOfTars } from "./tree-of-tars.ts";

/** Each builder is the other's oracle: on every image that a rule about layers is shown by. */
let pool: ReturnType<typeof makeScanPool>;
let folder: Folder;
before(() => {
  pool = makeScanPool(1);
  folder = workFolder();
});
after(async () => {
  await pool[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Below a mount point, longer paths are too long for a system call. */
const longestPath = 3900;

function canBeMounted({ root }: RootTree): boolean {
  for (const { path } of everyName(root)) if (path.length > longestPath) return false;
  return true;
}

async function inputOf(tree: RootTree, { archives }: Case, at: string): Promise<BuildInput> {
  mkdirSync(at);
  const layers = await Promise.all(archives.map((archive) => writeLayer(at, archive, "none")));
  return { ...(await inputFor(buildTree(dir()), at)), tree, layers };
}

for (const { title, rules } of sections) {
  test(`${title}: both builders make the same of every image that is accepted`, async () => {
    let built = 0;
    for (const example of rules.flatMap(({ cases }) => cases)) {
      const at = join(folder.path, `${title}.${built}`);
      await using place = await makeTempDir("layout-", folder.path);
      await writeLayout(join(place.path, "layout"), { latest: example.image });
      const { tree } = await runBanger(join(place.path, "layout"), pool, join(place.path, "cache"));
      if (tree === undefined) continue;
      built++;
      const input = await inputOf(tree, example, at);
      const images: string[] = [];
      for (const builder of [e2fsprogsBuilder, makeDirectBuilder()]) {
        const target = join(at, builder.name);
        const { verdict } = await buildAndInspect({ ...input, target }, builder);
        assert.deepEqual(verdict.differences, [], `${builder.name}, ${example.what}`);
        assert.deepEqual(verdict.fsck.problems, [], `${builder.name}, ${example.what}`);
        images.push(target);
      }
      if (canBeMounted(tree)) compareMounts(tree, example, images);
      rmSync(at, { recursive: true });
    }
    assert.ok(built > 0, "some are accepted");
  });
}

test("a Debian, with odd things in it: both builders make the same", async () => {
  await using place = await makeTempDir("debian-", folder.path);
  const { tree, layers } = await treeOfTars(await debianLayers(), place.path);
  const input = { ...(await inputFor(buildTree(dir()), place.path)), tree, layers };
  const trees: ReadonlyMap<string, HostEntry>[] = [];
  for (const builder of [e2fsprogsBuilder, makeDirectBuilder()]) {
    const target = join(place.path, builder.name);
    const { verdict } = await buildAndInspect({ ...input, target }, builder);
    assert.deepEqual(verdict.differences, [], builder.name);
    assert.deepEqual(verdict.fsck.problems, [], builder.name);
    trees.push(readMounted(target));
  }
  const [theirs = new Map(), ours = new Map()] = trees;
  assert.ok(theirs.size > 5000, `${theirs.size} names`);
  assert.deepEqual(differences(theirs, ours), []);
});

/** The kernel's view of both images, and the tree's own. */
function compareMounts(tree: RootTree, example: Case, images: readonly string[]): void {
  const expected = new Map(
    [...asHostTree(tree, example.archives)].map(([path, entry]) => [path, seen(entry)]),
  );
  // Left out of what is mounted, as one of them is mkfs's own.
  expected.delete("/lost+found");
  for (const image of images) {
    assert.deepEqual(differences(expected, readMounted(image)), [], `${image}, ${example.what}`);
  }
}

/**
 * stat(2) shows the id that means "no id" as that of nobody (kernel `overflowuid`), and getxattr(2) nothing of `user.`
 * but of files and directories (fs/xattr.c, `xattr_permission`).
 */
function seen(entry: HostEntry): HostEntry {
  const shown = (id: number): number => (id === 4_294_967_295 ? 65_534 : id);
  const hidesUser = entry.type !== "file" && entry.type !== "directory";
  const xattrs = entry.xattrs.split("\n").filter((line) => !hidesUser || !line.startsWith("user."));
  return { ...entry, uid: shown(entry.uid), gid: shown(entry.gid), xattrs: xattrs.join("\n") };
}
