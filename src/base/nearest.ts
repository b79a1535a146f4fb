/**
 * The candidate that a misspelled word most likely meant: fewest edits apart, and at most a third of the longer word's
 * length, at most three; undefined where none is that near. Of equals the first. Give it a bounded list.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bound = maxEdits + 1;
  for (const candidate of candidates) {
    const longest = Math.max(word.length, candidate.length);
    const allowed = Math.min(bound - 1, Math.max(1, Math.floor(longest / 3)));
    if (longest < 2 || Math.abs(word.length - candidate.length) > allowed) continue;
    const edits = editDistance(word, candidate, allowed);
    if (edits > allowed) continue;
    best = candidate;
    bound = edits;
  }
  return best;
}

/** More is another word. */
export const maxEdits = 3;

/**
 * Letters inserted, left out, replaced, or swapped with their neighbour, each letter in one edit at most (optimal
 * string alignment). What is more than `most` is `most + 1`: of the matrix only the band beside the diagonal counts.
 */
function editDistance(from: string, to: string, most: number): number {
  const far = most + 1;
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, at) => Math.min(at, far));
  for (let row = 1; row <= from.length; row++) {
    const next = Array<number>(to.length + 1).fill(far);
    if (row <= most) next[0] = row;
    let least = next[0] ?? far;
    for (let column = Math.max(1, row - most); column <= Math.min(to.length, row + most); column++) {
      const same = from[row - 1] === to[column - 1];
      const replaced = (last[column - 1] ?? far) + (same ? 0 : 1);
      const swaps = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = swaps ? (beforeLast[column - 2] ?? far) + 1 : far;
      const shifted = Math.min(last[column] ?? far, next[column - 1] ?? far) + 1;
      const edits = Math.min(replaced, swapped, shifted, far);
      next[column] = edits;
      least = Math.min(least, edits);
    }
    if (least > most) return far;
    beforeLast = last;
    last = next;
  }
  return last[to.length] ?? far;
}
