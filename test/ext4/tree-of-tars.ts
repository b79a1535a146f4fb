import { join } from "node:path";
import { defaultLimits } from "../../src/base/limits.ts";
import { runInSlices } from "../../src/base/slices.ts";
import { flatten } from "../../src/layers/flatten.ts";
import type { ScannedBlob, RootTree } from "../../src/layers/root-tree.ts";
import { LayerScanner, makeScanPool } from "../../src/layers/scan.ts";
import { writeLayer } from "../layers/layer-blob.ts";

export interface TreeOfTars {
  readonly tree: RootTree;
  readonly layers: readonly ScannedBlob[];
}

/** Writes tars as layers into `folder`, and merges them as a pull does. */
export async function treeOfTars(tars: readonly Buffer[], folder: string): Promise<TreeOfTars> {
  const layers: ScannedBlob[] = [];
  for (const tar of tars) layers.push(await writeLayer(folder, tar));
  const { signal } = new AbortController();
  await using pool = makeScanPool(2);
  const limits = defaultLimits;
  const scanner = new LayerScanner({ pool, indexFolder: join(folder, "indexes"), limits });
  const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
  const scanned = await Promise.all(layers.map((layer) => scanner.scan(layer, { mediaType, signal })));
  const indexes = scanned.map(({ index }) => index);
  return { tree: await runInSlices(flatten(indexes, { limits }), signal), layers };
}
