import { Column } from "./column.ts";
import { extentTreeBlocks, maxExtentBlocks, type ExtentList } from "./extent-tree.ts";
import type { FreeSpace, Run } from "./free-space.ts";

interface Columns {
  readonly logical: Column;
  readonly physical: Column;
  readonly length: Column;
}

/** A view, one for each file of the image: it has no closures of its own. */
class Extents implements ExtentList {
  readonly count: number;
  readonly #columns: Columns;
  readonly #first: number;

  constructor(columns: Columns, first: number, count: number) {
    this.#columns = columns;
    this.#first = first;
    this.count = count;
  }

  logical(i: number): number {
    return this.#columns.logical.at(this.#first + i);
  }

  physical(i: number): number {
    return this.#columns.physical.at(this.#first + i);
  }

  length(i: number): number {
    return this.#columns.length.at(this.#first + i);
  }
}

/**
 * The extents of everything that has blocks, by ordinal: twelve bytes an extent. One thing's extents are added one
 * after the other, in the order of its blocks.
 */
export class FileMaps {
  readonly #logical = new Column();
  readonly #physical = new Column();
  readonly #length = new Column();
  readonly #columns: Columns = { logical: this.#logical, physical: this.#physical, length: this.#length };
  /** By ordinal: its first extent, how many there are, and how many blocks they have. */
  readonly #first: Uint32Array;
  readonly #count: Uint32Array;
  readonly #blocks: Uint32Array;
  /** Blocks of extent trees, for those few that have one. */
  readonly #trees = new Map<number, Column>();

  constructor(ordinals: number) {
    this.#first = new Uint32Array(ordinals);
    this.#count = new Uint32Array(ordinals);
    this.#blocks = new Uint32Array(ordinals);
  }

  /** Gives blocks `logical` and following of a thing a place on the disk, in as many pieces as that takes. */
  allocate(ordinal: number, logical: number, blocks: number, free: FreeSpace): void {
    for (let done = 0; done < blocks;) {
      const run = free.take(blocks - done);
      this.add(ordinal, logical + done, run);
      done += run.length;
    }
  }

  /** Puts blocks `logical` and following where `run` is. */
  add(ordinal: number, logical: number, run: Run): void {
    for (let done = 0; done < run.length;) {
      done += this.#extend(ordinal, logical + done, run.start + done, run.length - done);
    }
  }

  /** Takes blocks for the trees of those, from `first` up to `end`, that have more extents than an inode has room for. */
  allocateTrees(first: number, end: number, free: FreeSpace): void {
    for (let ordinal = first; ordinal < end; ordinal++) {
      const blocks = extentTreeBlocks(this.#count[ordinal] ?? 0);
      if (blocks === 0) continue;
      const tree = new Column(blocks);
      for (let i = 0; i < blocks; i++) tree.push(free.take(1).start);
      this.#trees.set(ordinal, tree);
    }
  }

  /** Its blocks, those of its tree included. */
  blocksOf(ordinal: number): number {
    return (this.#blocks[ordinal] ?? 0) + (this.#trees.get(ordinal)?.length ?? 0);
  }

  /** Its blocks without those of its tree. */
  dataBlocksOf(ordinal: number): number {
    return this.#blocks[ordinal] ?? 0;
  }

  /** Ordinals with an extent tree of several blocks. */
  treeOwners(): Iterable<number> {
    return this.#trees.keys();
  }

  /** The block of the disk for node `i` of its extent tree. */
  treeBlock(ordinal: number, i: number): number {
    const tree = this.#trees.get(ordinal);
    if (tree === undefined) throw new RangeError(`ordinal ${ordinal} has no extent tree`);
    return tree.at(i);
  }

  extentsOf(ordinal: number): ExtentList {
    return new Extents(this.#columns, this.#first[ordinal] ?? 0, this.#count[ordinal] ?? 0);
  }

  /** Makes the last extent longer, or begins one. Returns how many blocks went into it. */
  #extend(ordinal: number, logical: number, physical: number, most: number): number {
    const count = this.#count[ordinal] ?? 0;
    const last = this.#length.length - 1;
    if (count > 0) {
      const length = this.#length.at(last);
      const room = Math.min(most, maxExtentBlocks - length);
      const follows =
        this.#logical.at(last) + length === logical && this.#physical.at(last) + length === physical;
      if (follows && room > 0) {
        this.#length.set(last, length + room);
        this.#blocks[ordinal] = (this.#blocks[ordinal] ?? 0) + room;
        return room;
      }
    }
    const length = Math.min(most, maxExtentBlocks);
    if (count === 0) this.#first[ordinal] = this.#length.length;
    this.#logical.push(logical);
    this.#physical.push(physical);
    this.#length.push(length);
    this.#count[ordinal] = count + 1;
    this.#blocks[ordinal] = (this.#blocks[ordinal] ?? 0) + length;
    return length;
  }
}
