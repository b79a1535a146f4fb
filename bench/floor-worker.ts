import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { defaultLimits } from "../src/base/limits.ts";
import { serveJobs } from "../src/base/workers.ts";
import { BlobFile } from "../src/layers/blob-file.ts";
import { inflateLayer } from "../src/layers/decompress.ts";
import type { LayerBlob } from "../src/layers/root-tree.ts";

export interface FloorJob {
  readonly layer: LayerBlob;
  readonly hash: boolean;
  /** Where to write, and how many bytes: those of the layer that are alive. */
  readonly write: { readonly path: string; readonly position: number; readonly bytes: number } | undefined;
  /** Inflated bytes after which nothing is alive; the rest is left alone. */
  readonly until: number;
}

serveJobs<FloorJob, number>(async ({ layer, hash, write, until }) => {
  const sha256 = hash ? createHash("sha256") : undefined;
  const fd = write === undefined ? undefined : openSync(write.path, "r+");
  let written = 0;
  const options = { layer: layer.digest, limits: defaultLimits };
  using blob = BlobFile.open(layer.path);
  const { inflatedBytes } = await inflateLayer(blob, hash ? options : { ...options, until }, (piece) => {
    sha256?.update(piece);
    if (write === undefined || fd === undefined) return;
    const count = Math.min(piece.length, write.bytes - written);
    for (let done = 0; done < count;) {
      done += writeSync(fd, piece, done, count - done, write.position + written + done);
    }
    written += count;
  });
  if (fd !== undefined) closeSync(fd);
  return inflatedBytes;
});
