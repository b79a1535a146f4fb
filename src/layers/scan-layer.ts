import { Digester, algorithmOf } from "../base/digest.ts";
import type { Limits } from "../base/limits.ts";
import type { BlobFile } from "./blob-file.ts";
import { BlobSum } from "./blob-sum.ts";
import { ContentHash, emptySha256 } from "./content-hash.ts";
import { inflateLayer, type Inflated } from "./decompress.ts";
import { layerFault } from "./layer-fault.ts";
import type { EntryLoss, LayerEntry } from "./layer-index.ts";
import type { LayerName } from "./root-tree.ts";
import type { ArchiveEntry, UnhashedFile } from "./tar/entry.ts";
import { TarReader, type TarSink } from "./tar/tar-reader.ts";

/** Where a scan puts what it finds, in the archive's order. */
export interface ScanSink {
  entry(entry: LayerEntry): void;
  loss(loss: EntryLoss): void;
}

/** What an index says of its layer besides its entries. */
export interface ScanFacts extends Inflated {
  readonly blobCrc32: number;
}

/**
 * Reads a layer once, from blob to index records: inflates it, reads every header, hashes every content, and
 * verifies the diffID. Keeps no content. Blocks its thread: run it in a worker.
 *
 * What the sink was given counts for nothing unless this returns.
 *
 * @throws BangerError LAYER_INVALID, LAYER_UNSAFE, DIFFID_MISMATCH or LIMIT_*.
 */
export async function scanLayer(
  layer: LayerName,
  blob: BlobFile,
  limits: Limits,
  sink: ScanSink,
  onProgress: (compressedBytes: number) => void,
): Promise<ScanFacts> {
  const diffId = new Digester(algorithmOf(layer.diffId));
  const reader = new TarReader(new HashingSink(sink), layer.digest, limits);
  const sum = new BlobSum();
  const options = { layer: layer.digest, limits, onProgress, onRead: (piece: Buffer) => sum.update(piece) };
  const inflated = await inflateLayer(blob, options, (piece) => {
    diffId.update(piece);
    reader.push(piece);
  });
  reader.end();
  const found = diffId.digest();
  if (found !== layer.diffId) {
    const what = `it inflates to ${found}, and its diffID in the image's config is ${layer.diffId}`;
    throw layerFault("DIFFID_MISMATCH", "diff-id", what, {
      layer: layer.digest,
      entry: undefined,
      name: undefined,
    });
  }
  return { ...inflated, blobCrc32: await sum.finish(blob) };
}

/** Holds a file's entry back until its content is hashed. */
class HashingSink implements TarSink {
  readonly #sink: ScanSink;
  readonly #hash = new ContentHash();
  #file: UnhashedFile | undefined;
  /** Losses of the entry held back: they follow it. */
  readonly #losses: EntryLoss[] = [];

  constructor(sink: ScanSink) {
    this.#sink = sink;
  }

  entry(entry: ArchiveEntry): void {
    if (entry.kind !== "file") this.#sink.entry(entry);
    else if (entry.storedBytes === 0) this.#sink.entry({ ...entry, sha256: emptySha256 });
    else this.#file = entry;
  }

  content(piece: Buffer, last: boolean): void {
    const sha256 = this.#hash.add(piece, last);
    if (sha256 === undefined || this.#file === undefined) return;
    this.#sink.entry({ ...this.#file, sha256 });
    this.#file = undefined;
    for (const loss of this.#losses.splice(0)) this.#sink.loss(loss);
  }

  loss(loss: EntryLoss): void {
    if (this.#file === undefined) this.#sink.loss(loss);
    else this.#losses.push(loss);
  }
}
