import { closeSync, ftruncateSync, openSync } from "node:fs";
import type { PackedRuns } from "../../../src/ext4/direct/content-runs.ts";
import type { FileInode } from "../../../src/layers/root-tree.ts";

/** An empty file of so many bytes. */
export function emptyImage(path: string, bytes: number): string {
  const fd = openSync(path, "wx");
  ftruncateSync(fd, bytes);
  closeSync(fd);
  return path;
}

export function packed(
  ...runs: readonly (readonly [source: number, target: number, bytes: number])[]
): PackedRuns {
  return new Float64Array(runs.flat());
}

export interface SyntheticPlan {
  readonly runsByLayer: readonly PackedRuns[];
  readonly sizeBytes: number;
  readonly expected: Buffer;
}

/** A place for each file, block after block and layer after layer, with a gap now and then as metadata make. */
export function placeFiles(stored: ReadonlyMap<FileInode, Buffer>, layers: number): SyntheticPlan {
  let at = 8192;
  const placed: { readonly target: number; readonly bytes: Buffer }[] = [];
  const runsByLayer = Array.from({ length: layers }, (_, layer) => {
    const files = [...stored].filter(([{ content }]) => content.layer === layer && content.storedBytes > 0);
    files.sort(([a], [b]) => a.content.offset - b.content.offset);
    const runs = files.map(([{ content }, bytes], index): [number, number, number] => {
      const target = at;
      placed.push({ target, bytes });
      at += Math.ceil(bytes.length / 4096) * 4096 + (index % 7 === 6 ? 3 * 4096 : 0);
      return [content.offset, target, bytes.length];
    });
    return packed(...runs);
  });
  const expected = Buffer.alloc(at);
  for (const { target, bytes } of placed) bytes.copy(expected, target);
  return { runsByLayer, sizeBytes: at, expected };
}
