import type { Sliced } from "../../base/slices.ts";

/** Bits of an offset that one pass sorts by, lowest first. */
const digitBits = 11;
const digits = 2 ** digitBits;
/** Bits of an offset's halves: whole numbers that are turned and masked without becoming floating-point ones. */
const halfBits = 32;
/** Items between two pauses. */
const slice = 65_536;

/** Items in the order that they have so far, each with the half of its offset that is sorted by. */
interface Order {
  indices: Uint32Array;
  keys: Uint32Array;
}

/**
 * The numbers 0 to `offsets.length - 1` in the order of their offsets, those of equal ones in their own. Offsets are
 * safe integers from 0 on. A radix sort: an order by comparing costs a call for each of a million comparisons, on the
 * one thread that everything waits for.
 */
export function* sortByOffset(offsets: Float64Array): Sliced<Uint32Array> {
  const count = offsets.length;
  let largest = 0;
  for (let i = 0; i < count; i++) largest = Math.max(largest, offsets[i] ?? 0);
  const order = { indices: new Uint32Array(count), keys: new Uint32Array(count) };
  const spare = { indices: new Uint32Array(count), keys: new Uint32Array(count) };
  for (let i = 0; i < count; i++) {
    order.indices[i] = i;
    // The lower half: ToUint32 of ECMA-262 is modulo 2^32.
    order.keys[i] = (offsets[i] ?? 0) >>> 0;
  }
  yield* sortByKeys(order, spare, Math.min(largest, 2 ** halfBits - 1));
  if (largest < 2 ** halfBits) return order.indices;
  for (let i = 0; i < count; i++)
    order.keys[i] = Math.floor((offsets[order.indices[i] ?? 0] ?? 0) / 2 ** halfBits);
  yield* sortByKeys(order, spare, Math.floor(largest / 2 ** halfBits));
  return order.indices;
}

/** Sorts by the keys, which are `largest` at most. The two trade their arrays. */
function* sortByKeys(order: Order, spare: Order, largest: number): Sliced<void> {
  for (let shift = 0; shift < halfBits && largest >>> shift > 0; shift += digitBits) {
    const { indices, keys } = order;
    const ends = new Uint32Array(digits);
    for (let i = 0; i < keys.length; i++) {
      const digit = ((keys[i] ?? 0) >>> shift) & (digits - 1);
      ends[digit] = (ends[digit] ?? 0) + 1;
    }
    yield;
    let before = 0;
    for (let digit = 0; digit < digits; digit++) {
      before += ends[digit] ?? 0;
      ends[digit] = before;
    }
    // From behind, so that what a lower digit has put in order stays so.
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] ?? 0;
      const digit = (key >>> shift) & (digits - 1);
      const at = (ends[digit] ?? 0) - 1;
      ends[digit] = at;
      spare.indices[at] = indices[i] ?? 0;
      spare.keys[at] = key;
      if (i % slice === 0) yield;
    }
    [order.indices, order.keys, spare.indices, spare.keys] = [spare.indices, spare.keys, indices, keys];
  }
}
