import assert from "node:assert/strict";
import test from "node:test";
import { Arrival, untilArrived } from "../../src/base/arrival.ts";

test("who waits goes on once so much is there, and not before", async () => {
  const arrival = new Arrival();
  const seen: string[] = [];
  const ten = untilArrived(arrival.memory, 10).then(() => seen.push("ten"));
  const twenty = untilArrived(arrival.memory, 20).then(() => seen.push("twenty"));
  arrival.advance(9);
  await new Promise(setImmediate);
  assert.deepEqual(seen, []);
  arrival.advance(19);
  await ten;
  assert.deepEqual(seen, ["ten"]);
  arrival.advance(20);
  await twenty;
  await untilArrived(arrival.memory, 20);
  await untilArrived(arrival.memory, 0);
});

test("files past 4 GiB", async () => {
  const arrival = new Arrival();
  const waiting = untilArrived(arrival.memory, 2 ** 40 + 1);
  arrival.advance(2 ** 40);
  let isThere = false;
  void waiting.then(() => (isThere = true));
  await new Promise(setImmediate);
  assert.equal(isThere, false);
  arrival.advance(2 ** 40 + 1);
  await waiting;
});
