import type { FileInode } from "../../layers/root-tree.ts";
import { Column, itemAt } from "./column.ts";

/** What stands for the size of a sparse file, whose pieces have to be looked up. */
const sparse = -1;

/**
 * The files with stored bytes that one layer has, in the order of the list. Noted as the tree is walked: in the order of
 * the layer, each of a million inodes that is looked at again would be waited for.
 */
export class LayerFiles {
  readonly #ordinals = new Column(64);
  #offsets = new Float64Array(64);
  #sizes = new Float64Array(64);

  get length(): number {
    return this.#ordinals.length;
  }

  add(ordinal: number, { size, content }: FileInode): void {
    const at = this.#ordinals.push(ordinal);
    if (at === this.#offsets.length) {
      this.#offsets = grown(this.#offsets);
      this.#sizes = grown(this.#sizes);
    }
    this.#offsets[at] = content.offset;
    this.#sizes[at] = content.segments === undefined ? size : sparse;
  }

  ordinal(i: number): number {
    return this.#ordinals.at(i);
  }

  /** Where its content begins in the layer's stream. */
  offset(i: number): number {
    return itemAt(this.#offsets, i);
  }

  /** Undefined where it is sparse. */
  size(i: number): number | undefined {
    const size = itemAt(this.#sizes, i);
    return size === sparse ? undefined : size;
  }

  /** All offsets, to be read only. */
  offsets(): Float64Array {
    return this.#offsets.subarray(0, this.length);
  }
}

function grown(items: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(items.length * 2);
  larger.set(items);
  return larger;
}
