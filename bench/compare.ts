import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defaultLimits } from "../src/base/limits.ts";
import { runInSlices } from "../src/base/slices.ts";
import { makeDirectBuilder } from "../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../src/ext4/e2fsprogs/builder.ts";
import { verifyImage } from "../src/ext4/verify.ts";
import { flatten } from "../src/layers/flatten.ts";
import { differences } from "../test/system/host-tree.ts";
import { readMounted } from "../test/system/mounted.ts";
import { layersOf, scanLayers } from "./layout.ts";

/**
 * Builds an image with both builders, and has both read back: by our own reader, contents and all, by e2fsck, and, for
 * root, by the kernel. Returns what they said.
 *
 * @throws whatever is wrong.
 */
export async function compareBuilders(layout: string, work: string): Promise<string> {
  const { signal } = new AbortController();
  const limits = defaultLimits;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  try {
    const { blobs: layers, indexes } = await scanLayers(await layersOf(layout), join(work, "indexes"));
    const tree = await runInSlices(flatten(indexes, { limits }), signal);
    const uuid = "01234567-89ab-8def-8123-456789abcdef";
    const given = {
      tree,
      layers,
      tempDir: work,
      sizeBytes: undefined,
      uuid,
      hashSeed: uuid,
    };
    const images: string[] = [];
    for (const builder of [makeDirectBuilder(), e2fsprogsBuilder]) {
      const target = join(work, `${builder.name}.ext4`);
      await using build = await builder.build({ ...given, target, limits, signal, onProgress: () => {} });
      await build.applyOwnership();
      await verifyImage({ path: target, tree, depth: "full", limits, signal });
      images.push(target);
    }
    const said = `${tree.inodeCount} inodes, ${tree.contentBytes} bytes: as the layers say, by both builders`;
    if (process.getuid?.() !== 0) return said;
    const [one = new Map(), other = new Map()] = images.map(readMounted);
    const [first] = differences(one, other);
    if (first !== undefined) throw new Error(`the kernel reads ${first}`);
    return `${said}, and the kernel reads the same ${one.size} names of both`;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
