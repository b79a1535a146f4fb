import { join } from "node:path";
import { defaultLimits } from "../src/base/limits.ts";
import { LayoutSource } from "../src/registry/local-layout.ts";
import { parsePlatform } from "../src/oci/platform.ts";
import type { LayerIndex } from "../src/layers/layer-index.ts";
import type { LayerBlob, ScannedBlob } from "../src/layers/root-tree.ts";
import { LayerScanner, makeScanPool, type ScannedLayer } from "../src/layers/scan.ts";

/** A layer of a layout on this disk, and the media type that the manifest gives it. */
export interface BenchLayer extends LayerBlob {
  readonly mediaType: string;
}

/** The layers of the image that a layout has under `latest`, oldest first. */
export async function layersOf(layout: string): Promise<readonly BenchLayer[]> {
  const place = { kind: "oci", path: layout, tag: "latest", digest: undefined } as const;
  await using source = new LayoutSource(place, defaultLimits);
  const options = { signal: new AbortController().signal, onRetry: () => {} };
  const { manifest, config } = await source.resolve(parsePlatform("linux/amd64"), options);
  return manifest.layers.map(({ digest, mediaType }, at) => {
    const path = join(layout, "blobs", ...digest.split(":"));
    return { digest, diffId: config.diffIds[at] ?? digest, path, mediaType };
  });
}

/** What a program of the bench prints as JSON: numbers by name. */
export function parseFigures(text: string): ReadonlyMap<string, number> {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null)
    throw new TypeError(`not figures: ${text.slice(0, 200)}`);
  return new Map(Object.entries(parsed).map(([name, value]) => [name, Number(value)]));
}

/** Scans layers side by side, or takes the indexes that the folder has of them, and says which, as a pull does. */
export async function scanLayers(
  layers: readonly BenchLayer[],
  indexFolder: string,
): Promise<{ readonly blobs: readonly ScannedBlob[]; readonly indexes: readonly LayerIndex[] }> {
  const { signal } = new AbortController();
  await using pool = makeScanPool();
  const scanner = new LayerScanner({ pool, indexFolder, limits: defaultLimits });
  const scan = (layer: BenchLayer): Promise<ScannedLayer> =>
    scanner.scan(layer, { mediaType: layer.mediaType, signal });
  const scanned = await Promise.all(layers.map(scan));
  return { blobs: scanned.map(({ blob }) => blob), indexes: scanned.map(({ index }) => index) };
}
