import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { runThrough } from "../../../src/base/slices.ts";
import { sortByOffset } from "../../../src/ext4/direct/sort-by-offset.ts";

function compared(offsets: readonly number[]): readonly number[] {
  return offsets.map((_, i) => i).sort((a, b) => (offsets[a] ?? 0) - (offsets[b] ?? 0) || a - b);
}

test("offsets come in their order, equal ones in their own, also past 4 GiB", () => {
  const near = fc.integer({ min: 0, max: 3 });
  const offset = fc.oneof(
    near,
    fc.maxSafeNat(),
    fc.tuple(fc.constantFrom(2 ** 11, 2 ** 22, 2 ** 32, 2 ** 33, 2 ** 43), near).map(([at, n]) => at - 1 + n),
  );
  fc.assert(
    fc.property(fc.array(offset, { maxLength: 200 }), (offsets) => {
      assert.deepEqual([...runThrough(sortByOffset(Float64Array.from(offsets)))], compared(offsets));
    }),
    { seed: 8, numRuns: 300 },
  );
});

test("many of them are sorted with pauses", () => {
  const offsets = Float64Array.from({ length: 200_000 }, (_, i) => ((i * 7919) % 200_003) * 512 * 100);
  const sorting = sortByOffset(offsets);
  let pauses = 0;
  let step = sorting.next();
  for (; step.done !== true; step = sorting.next()) pauses++;
  assert.ok(pauses >= 6, String(pauses));
  assert.deepEqual([...step.value], compared([...offsets]));
});
