/**
 * The candidate that a misspelled word most likely meant: fewest edits apart, and at most a third of the longer word's
 * length, at most three; undefined where none is that near. Of equals the first. Costs word × candidate a candidate:
 * give it a bounded list.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bound = maxEdits + 1;
  for (const candidate of candidates) {
    const longest = Math.max(word.length, candidate.length);
    const allowed = Math.min(bound - 1, Math.max(1, Math.floor(longest / 3)));
    if (longest < 2 || Math.abs(word.length - candidate.length) > allowed) continue;
    const edits = editDistance(word, candidate);
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
 * string alignment).
 */
function editDistance(from: string, to: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const replaced = (last[column - 1] ?? 0) + (same ? 0 : 1);
      const swaps = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = swaps ? (beforeLast[column - 2] ?? 0) + 1 : replaced;
      next.push(Math.min((last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, replaced, swapped));
    }
    beforeLast = last;
    last = next;
  }
  return last[to.length] ?? 0;
}
