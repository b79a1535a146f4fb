import { BangerError } from "../../base/error.ts";

/** Neighbouring blocks. */
export interface Run {
  readonly start: number;
  readonly length: number;
}

/** Blocks of the disk that nothing has taken yet, as ascending runs with something between any two. */
export class FreeSpace {
  /** Where each run starts, and where it ends. */
  readonly #starts: number[];
  readonly #ends: number[];
  /** Runs before this one are used up. */
  #head = 0;

  constructor(blocks: number) {
    this.#starts = [0];
    this.#ends = [blocks];
  }

  /** Takes the next free blocks, up to `most` of them and as many as lie together. */
  take(most: number): Run {
    const start = this.#starts[this.#head];
    const end = this.#ends[this.#head];
    if (start === undefined || end === undefined) throw full();
    const length = Math.min(most, end - start);
    if (start + length === end) this.#head++;
    else this.#starts[this.#head] = start + length;
    return { start, length };
  }

  /** Takes `length` neighbours, the first such from block `from` on, or undefined where there are none. */
  takeTogether(length: number, from = 0): number | undefined {
    for (let i = this.#runAfter(from); i < this.#starts.length; i++) {
      const start = Math.max(from, this.#starts[i] ?? 0);
      if ((this.#ends[i] ?? 0) - start < length) continue;
      this.#remove(i, start, start + length);
      return start;
    }
    return undefined;
  }

  /** Takes those very blocks, which must be free. */
  takeAt(start: number, length: number): void {
    const i = this.#runAfter(start);
    const fits = (this.#starts[i] ?? Infinity) <= start && (this.#ends[i] ?? 0) >= start + length;
    if (!fits) throw full();
    this.#remove(i, start, start + length);
  }

  /** The free runs between two blocks, ascending, cut where they reach out. */
  *between(from: number, to: number): Generator<Run, void, undefined> {
    for (let i = this.#runAfter(from); i < this.#starts.length; i++) {
      const start = Math.max(from, this.#starts[i] ?? to);
      if (start >= to) return;
      yield { start, length: Math.min(to, this.#ends[i] ?? to) - start };
    }
  }

  /** The first run that ends after that block. */
  #runAfter(block: number): number {
    let low = this.#head;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) <= block) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remove(i: number, start: number, end: number): void {
    const before = this.#starts[i] ?? start;
    const after = this.#ends[i] ?? end;
    const starts = [...(before < start ? [before] : []), ...(end < after ? [end] : [])];
    const ends = [...(before < start ? [start] : []), ...(end < after ? [after] : [])];
    this.#starts.splice(i, 1, ...starts);
    this.#ends.splice(i, 1, ...ends);
  }
}

/** `spaceNeeds` never counts too little: this is a defect. */
function full(): BangerError {
  return new BangerError("INTERNAL", "the plan takes more blocks than were counted for it", {
    op: "plan ext4",
  });
}
