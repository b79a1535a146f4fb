import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Latest } from "../../src/service/latest.ts";

test("a slow reader gets the newest value, and the last one always", async () => {
  const latest = new Latest<number>();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const value of latest) {
      seen.push(value);
      await nextTurn();
    }
  })();
  for (let value = 1; value <= 100; value++) latest.set(value);
  await nextTurn();
  await nextTurn();
  latest.set(101);
  latest.end();
  await reading;
  assert.equal(seen.at(-1), 101);
  assert.ok(seen.length < 10, `${seen.length} of 101 values`);
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
});

test("an end before the first value, and one before anybody reads, end the reader", async () => {
  const latest = new Latest<number>();
  latest.end();
  for await (const value of latest) assert.fail(`a value ${value}`);
  const full = new Latest<number>();
  full.set(7);
  full.end();
  const seen: number[] = [];
  for await (const value of full) seen.push(value);
  assert.deepEqual(seen, [7]);
});
