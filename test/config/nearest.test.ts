import assert from "node:assert/strict";
import test from "node:test";
import { editDistance, nearest } from "../../src/config/nearest.ts";

test("the distance of two words", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "abc", 0],
    ["abc", "abd", 1],
    ["abc", "ab", 1],
    ["abc", "xabc", 1],
    ["abc", "bac", 1],
    ["kitten", "sitting", 3],
  ];
  for (const [a, b, distance] of cases) {
    assert.equal(editDistance(a, b), distance, `${a} ${b}`);
    assert.equal(editDistance(b, a), distance, `${b} ${a}`);
  }
});

test("the nearest name, where one is near", () => {
  const names = ["state_dir", "cache_dir", "socket", "temp_dir"];
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["statedir", "state_dir"],
    ["StateDir", "state_dir"],
    ["cache-dir", "cache_dir"],
    ["sokcet", "socket"],
    ["tmp_dir", "temp_dir"],
    ["colour", undefined],
  ];
  for (const [name, near] of cases) assert.equal(nearest(name, names), near, name);
  assert.equal(nearest("a", []), undefined);
});
