import { createHash } from "node:crypto";
import { utf8Bytes } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import { ByteReader, IndexDefect } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { hashBytes } from "./format.ts";

/**
 * Which layer each entry of a merged tree stems from. It comes before the tree's own index in one file:
 *
 *     magic, version   8 bytes, u32
 *     manifest         text: what it is bound to
 *     runs             u32 how many, then varint layer, varint entries each; in the order of the index
 *     sha256           of all before it, 32 bytes
 *
 * Neighbours mostly stem from one layer, so that runs of them are all that it takes.
 */
const magic = Buffer.from("BNGRTREE", "latin1");
const version = 2;

/** What a number in the file may be: layers of an image, entries of a tree. */
const maxNumber = 2 ** 32;

/** The layer of each entry, by its number. */
export interface Origins {
  /** @param entry its number, from 1; undefined past the last. */
  layerOf(entry: number): number | undefined;
}

/** Neighbouring entries of one layer. */
interface Run {
  readonly layer: number;
  /** Number of the last of them. */
  last: number;
}

/** Takes the layer of each entry, in the order of the index. */
export class OriginsEncoder {
  readonly #runs: Run[] = [];
  #entries = 0;

  add(layer: number): void {
    this.#entries++;
    const run = this.#runs.at(-1);
    if (run?.layer === layer) run.last = this.#entries;
    else this.#runs.push({ layer, last: this.#entries });
  }

  finish(manifest: Digest): Buffer {
    const chunks: Buffer[] = [];
    const out = new ByteWriter((chunk) => chunks.push(Buffer.from(chunk)));
    out.raw(magic);
    out.u32(version);
    out.latin1(manifest);
    out.u32(this.#runs.length);
    let before = 0;
    for (const { layer, last } of this.#runs) {
      out.varint(layer);
      out.varint(last - before);
      before = last;
    }
    out.seal();
    return Buffer.concat(chunks);
  }
}

/** Whether a file begins with origins; one without them is of a version that had none. */
export function hasOrigins(file: Buffer): boolean {
  return file.subarray(0, magic.length).equals(magic);
}

/** The origins, and what comes after them; undefined where they are damaged, or of another manifest. */
export function decodeOrigins(
  file: Buffer,
  manifest: Digest,
): { readonly origins: Origins; readonly rest: Buffer } | undefined {
  try {
    const reader = new ByteReader(file, magic.length, file.length);
    if (reader.u32() !== version || reader.latin1() !== utf8Bytes(manifest)) return undefined;
    const runs = readRuns(reader);
    const hash = createHash("sha256").update(file.subarray(0, reader.position)).digest();
    if (!hash.equals(reader.raw(hashBytes))) return undefined;
    return {
      origins: { layerOf: (entry) => runAt(runs, entry)?.layer },
      rest: file.subarray(reader.position),
    };
  } catch (error) {
    if (error instanceof IndexDefect) return undefined;
    throw error;
  }
}

function readRuns(reader: ByteReader): readonly Run[] {
  const runs: Run[] = [];
  let last = 0;
  for (let left = reader.u32(); left > 0; left--) {
    const layer = reader.varint(maxNumber);
    last += reader.varint(maxNumber);
    runs.push({ layer, last });
  }
  return runs;
}

/** The first run that ends at the entry or after it. */
function runAt(runs: readonly Run[], entry: number): Run | undefined {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((runs[middle]?.last ?? 0) < entry) low = middle + 1;
    else high = middle;
  }
  return runs[low];
}
