import assert from "node:assert/strict";
import { test } from "node:test";
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
