import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { runThrough } from "../../src/base/slices.ts";
import { makeModulesLayer } from "../../src/guest/modules-layer.ts";
import { BlobFile } from "../../src/layers/blob-file.ts";
import { flatten } from "../../src/layers/flatten.ts";
import type { EntryLoss, LayerEntry, LayerIndex } from "../../src/layers/layer-index.ts";
import { lookUpPath } from "../../src/layers/resolve-path.ts";
import type { LayerBlob, RootTree } from "../../src/layers/root-tree.ts";
import { scanLayer } from "../../src/layers/scan-layer.ts";
import { readFileSync } from "node:fs";
import { tarOf, type TarHeader } from "../system/tar-of.ts";

const never = new AbortController().signal;
const release = "6.1.0-42-cloud-amd64";

async function indexOf(blob: LayerBlob): Promise<LayerIndex> {
  const entries: LayerEntry[] = [];
  const losses: EntryLoss[] = [];
  const sink = {
    entry: (entry: LayerEntry) => void entries.push(entry),
    loss: (loss: EntryLoss) => void losses.push(loss),
  };
  using file = BlobFile.open(blob.path);
  const facts = await scanLayer(blob, file, defaultLimits, sink, () => {});
  return { blobDigest: blob.digest, diffId: blob.diffId, ...facts, entries, losses };
}

/** The tree of an image with those entries, and a kernel's modules laid over it. */
async function overImage(
  entries: readonly TarHeader[],
): Promise<{ tree: RootTree; left: readonly string[] }> {
  const folder = await mkdtemp(join(tmpdir(), "banger-modules-layer-"));
  try {
    const dir = join(folder, "modules");
    const tempDir = join(folder, "tmp");
    await mkdir(join(dir, "kernel/fs"), { recursive: true });
    await mkdir(tempDir);
    await writeFile(join(dir, "kernel/fs/block.ko"), Buffer.alloc(1024, 7));
    await writeFile(join(dir, "modules.dep"), "kernel/fs/block.ko:\n");
    const image = await tarOf((put) =>
      entries.forEach((header) => put(header, header.type === undefined ? "old" : "")),
    );
    await writeFile(join(folder, "image.tar"), image);
    const digest = digestOf(image);
    const below = await indexOf({ digest, diffId: digest, path: join(folder, "image.tar") });
    let tree: RootTree;
    {
      const folders = ["kernel", "kernel/fs"];
      const files = ["kernel/fs/block.ko", "modules.dep"];
      await using layer = await makeModulesLayer({ dir, release, folders, files, tempDir, signal: never });
      assert.equal(layer.blob.digest, digestOf(readFileSync(layer.blob.path)));
      tree = runThrough(flatten([below, await indexOf(layer.blob)], { limits: defaultLimits }));
    }
    return { tree, left: await readdir(tempDir) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const at = (tree: RootTree, path: string) => lookUpPath(tree, utf8Bytes(path));

test("modules land in /lib/modules, root's own, and the layer goes with its owner", async () => {
  const { tree, left } = await overImage([]);
  const module = at(tree, `lib/modules/${release}/kernel/fs/block.ko`);
  assert.ok(module?.kind === "file");
  assert.deepEqual([module.mode, module.uid, module.gid, module.size], [0o644, 0, 0, 1024]);
  assert.equal(at(tree, `lib/modules/${release}/modules.dep`)?.kind, "file");
  assert.deepEqual(tree.losses, []);
  assert.deepEqual(left, []);
});

test("they land where the image's own /lib leads, which stays a link", async () => {
  const { tree } = await overImage([
    { name: "usr/lib/", type: "directory", mode: 0o700 },
    { name: "lib", type: "symlink", linkname: "usr/lib" },
  ]);
  assert.equal(tree.root.children.get(utf8Bytes("lib"))?.kind, "symlink");
  assert.equal(at(tree, `usr/lib/modules/${release}/modules.dep`)?.kind, "file");
  assert.equal(at(tree, "usr/lib")?.mode, 0o700, "whose metadata stay as they were");
});

test("what the image had of that version goes, and of another stays", async () => {
  const { tree } = await overImage([
    { name: `lib/modules/${release}/kernel/fs/stale.ko` },
    { name: "lib/modules/5.10.0/kernel/fs/other.ko" },
  ]);
  assert.equal(at(tree, `lib/modules/${release}/kernel/fs/stale.ko`), undefined);
  assert.equal(at(tree, "lib/modules/5.10.0/kernel/fs/other.ko")?.kind, "file");
});
