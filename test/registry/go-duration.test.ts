import assert from "node:assert/strict";
import test from "node:test";
import { parseGoDuration } from "../../src/registry/go-duration.ts";

test("durations as Go writes them", () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ["5s", 5000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1000],
    ["250ms", 250],
    ["1us", 0.001],
    ["1µs", 0.001],
    ["+2s", 2000],
    ["", undefined],
    ["0", undefined],
    ["0s", undefined],
    ["5", undefined],
    ["-5s", undefined],
    ["5 s", undefined],
    ["5S", undefined],
    ["s", undefined],
    ["5s!", undefined],
  ];
  for (const [text, ms] of table) assert.equal(parseGoDuration(text), ms, text);
});
