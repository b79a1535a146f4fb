import assert from "node:assert/strict";
import test from "node:test";
import { parseDuration, parseSize, showDuration, showSize } from "../../src/config/units.ts";

const sizes: readonly (readonly [unknown, number | undefined])[] = [
  [7, 7],
  ["7", 7],
  ["7B", 7],
  ["7 KiB", 7168],
  ["50GiB", 50 * 2 ** 30],
  ["2TiB", 2 ** 41],
  ["50GB", undefined],
  ["50G", undefined],
  ["1.5GiB", undefined],
  ["-1", undefined],
  ["GiB", undefined],
  ["0x10", undefined],
  ["", undefined],
  [true, undefined],
  [undefined, undefined],
];

const durations: readonly (readonly [unknown, number | undefined])[] = [
  ["0s", 0],
  ["250ms", 250],
  ["90s", 90_000],
  ["15 m", 900_000],
  ["12h", 43_200_000],
  ["30d", 2_592_000_000],
  ["30", undefined],
  [30, undefined],
  ["1h30m", undefined],
  ["1y", undefined],
];

test("sizes", () => {
  for (const [value, bytes] of sizes) assert.equal(parseSize(value), bytes, String(value));
});

test("lengths of time", () => {
  for (const [value, ms] of durations) assert.equal(parseDuration(value), ms, String(value));
});

test("what is shown is what is taken", () => {
  for (const value of [0, 1, 255, 1024, 1536, 65_536, 2 ** 30, 2 ** 41, 1000, 90_000, 86_400_000]) {
    assert.equal(parseSize(showSize(value)), value);
    assert.equal(parseDuration(showDuration(value)), value);
  }
  assert.deepEqual([showSize(4096), showSize(1025), showDuration(3_600_000)], ["4KiB", "1025B", "1h"]);
});
