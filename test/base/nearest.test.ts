import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nearest } from "../../src/base/nearest.ts";

const table: readonly (readonly [
  word: string,
  candidates: readonly string[],
  expected: string | undefined,
])[] = [
  ["debain-bookworm", ["debian-bullseye", "debian-bookworm", "alpine"], "debian-bookworm"],
  ["josn", ["auto", "tty", "plain", "json"], "json"],
  ["direkt", ["direct", "e2fsprogs"], "direct"],
  ["e2fsprog", ["direct", "e2fsprogs"], "e2fsprogs"],
  ["zst", ["raw", "zstd"], "zstd"],
  ["apt", ["app", "ape"], "app"],
  ["web", ["cow", "db", "x"], undefined],
  ["nope", ["debian", "alpine"], undefined],
  ["x", ["y"], undefined],
  ["", ["a", "abc"], undefined],
  ["abcdefghijkl", ["badcfehgijkl"], undefined],
  ["abcdefghijkl", ["badcfeghijkl"], "badcfeghijkl"],
];

for (const [word, candidates, expected] of table) {
  test(`${JSON.stringify(word)} of ${candidates.join(", ")} is ${expected}`, () =>
    assert.equal(nearest(word, candidates), expected));
}

/** By the textbook, with no band: what the quick one must agree with. */
function slowDistance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const rest = [slowDistance(a.slice(1), b) + 1, slowDistance(a, b.slice(1)) + 1];
  rest.push(slowDistance(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1));
  if (a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0]) {
    rest.push(slowDistance(a.slice(2), b.slice(2)) + 1);
  }
  return Math.min(...rest);
}

test("a word is found within a third of its letters, three edits at most, and not beyond", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(word, word, (from, to) => {
      const allowed = Math.max(1, Math.floor(Math.max(from.length, to.length) / 3));
      assert.equal(nearest(from, [to]), slowDistance(from, to) <= Math.min(allowed, 3) ? to : undefined);
    }),
  );
});
