import type { Sliced } from "../../base/slices.ts";

/** How many are sorted in one go: about two milliseconds. */
const chunk = 8192;
/** How many are merged between two pauses. */
const slice = 16384;

/**
 * The numbers 0 to `count - 1` in the order of `compare`, those that it calls equal in their own. A merge sort that
 * pauses, because a million names sorted in one go would keep the event loop for more than a second.
 */
export function* sortIndices(count: number, compare: (a: number, b: number) => number): Sliced<Uint32Array> {
  let from = new Uint32Array(count);
  for (let i = 0; i < count; i++) from[i] = i;
  for (let at = 0; at < count; at += chunk) {
    from.subarray(at, Math.min(count, at + chunk)).sort(compare);
    yield;
  }
  let to = new Uint32Array(count > chunk ? count : 0);
  for (let width = chunk; width < count; width *= 2) {
    for (let at = 0; at < count; at += 2 * width) yield* merge(from, to, at, width, compare);
    [from, to] = [to, from];
  }
  return from;
}

/** Merges two sorted neighbours of `width` items, or what there is of them. */
function* merge(
  from: Uint32Array,
  to: Uint32Array,
  start: number,
  width: number,
  compare: (a: number, b: number) => number,
): Sliced<void> {
  const middle = Math.min(from.length, start + width);
  const end = Math.min(from.length, middle + width);
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    if (at % slice === slice - 1) yield;
    const a = from[left] ?? 0;
    const b = from[right] ?? 0;
    const takeLeft = left < middle && (right >= end || compare(a, b) <= 0);
    to[at] = takeLeft ? a : b;
    if (takeLeft) left++;
    else right++;
  }
}
