import type { Sliced } from "../../base/slices.ts";

/** Bits of an offset that one pass sorts by, lowest first. */
const digitBits = 11;
const digits = 2 ** digitBits;
/** Items between two pauses. */
const slice = 65_536;

/**
 * The numbers 0 to `offsets.length - 1` in the order of their offsets, those of equal ones in their own. Offsets are
 * safe integers from 0 on. A radix sort: an order by comparing costs a call for each of a million comparisons, on the
 * one thread that everything waits for.
 */
export function* sortByOffset(offsets: Float64Array): Sliced<Uint32Array> {
  const count = offsets.length;
  let order = new Uint32Array(count);
  let next = new Uint32Array(count);
  let largest = 0;
  for (let i = 0; i < count; i++) {
    order[i] = i;
    largest = Math.max(largest, offsets[i] ?? 0);
  }
  for (let unit = 1; unit <= largest; unit *= digits) {
    const ends = new Uint32Array(digits);
    const digitOf = (index: number): number => Math.floor((offsets[index] ?? 0) / unit) % digits;
    for (let i = 0; i < count; i++) {
      const digit = digitOf(i);
      ends[digit] = (ends[digit] ?? 0) + 1;
      if (i % slice === slice - 1) yield;
    }
    let before = 0;
    for (let digit = 0; digit < digits; digit++) {
      before += ends[digit] ?? 0;
      ends[digit] = before;
    }
    // From behind, so that what a lower digit has put in order stays so.
    for (let i = count - 1; i >= 0; i--) {
      const index = order[i] ?? 0;
      const digit = digitOf(index);
      const at = (ends[digit] ?? 0) - 1;
      ends[digit] = at;
      next[at] = index;
      if (i % slice === 0) yield;
    }
    [order, next] = [next, order];
  }
  return order;
}
