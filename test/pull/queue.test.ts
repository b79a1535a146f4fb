import assert from "node:assert/strict";
import test from "node:test";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { TurnQueue } from "../../src/pull/queue.ts";

const signal = new AbortController().signal;
const quiet = (): void => {};

test("those who come first enter first, and hear where they stand", async () => {
  const queue = new TurnQueue(1);
  const first = await queue.enter(signal, () => assert.fail("the first needn't wait"));
  const heard: string[] = [];
  const second = queue.enter(signal, (position) => heard.push(`second ${position}`));
  const third = queue.enter(signal, (position) => heard.push(`third ${position}`));
  assert.equal(queue.waitingCount, 2);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.deepEqual(heard, ["second 1", "third 2", "third 1"]);
  assert.equal(queue.waitingCount, 0);
});

test("a place is handed on, and can't be taken in between", async () => {
  const queue = new TurnQueue(1);
  const first = await queue.enter(signal, quiet);
  const order: string[] = [];
  const second = queue.enter(signal, quiet).then((turn) => (order.push("second"), turn));
  first[Symbol.dispose]();
  const late = queue.enter(signal, quiet).then((turn) => (order.push("late"), turn));
  (await second)[Symbol.dispose]();
  (await late)[Symbol.dispose]();
  assert.deepEqual(order, ["second", "late"]);
});

test("giving a place back twice makes no second place", async () => {
  const queue = new TurnQueue(1);
  const first = await queue.enter(signal, quiet);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await queue.enter(signal, quiet);
  void queue.enter(signal, quiet);
  assert.equal(queue.waitingCount, 1);
});

test("one who gives up leaves the queue, and the others move up", async () => {
  const queue = new TurnQueue(1);
  const first = await queue.enter(signal, quiet);
  const controller = new AbortController();
  const second = queue.enter(controller.signal, quiet);
  const positions: number[] = [];
  const third = queue.enter(signal, (position) => positions.push(position));
  controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
  await assert.rejects(second, (error) => hasReason(error, "CANCELLED"));
  assert.deepEqual(positions, [2, 1]);
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
});

test("one who gives up at the moment of being let in gives the place on, and nobody else's is lost", async () => {
  const queue = new TurnQueue(1);
  const first = await queue.enter(signal, quiet);
  const controller = new AbortController();
  const second = queue.enter(controller.signal, quiet);
  const third = queue.enter(signal, quiet);
  const fourth = queue.enter(signal, quiet);
  first[Symbol.dispose]();
  controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
  await assert.rejects(second, (error) => hasReason(error, "CANCELLED"));
  (await third)[Symbol.dispose]();
  (await fourth)[Symbol.dispose]();
  assert.equal(queue.waitingCount, 0);
});

test("more places let in who waits, and fewer let nobody in until enough have left", async () => {
  const queue = new TurnQueue(1);
  const turns = [await queue.enter(signal, quiet)];
  const heard: number[] = [];
  const waiting = [quiet, quiet, (position: number) => heard.push(position)].map((moved) =>
    queue.enter(signal, moved),
  );
  queue.resize(3);
  turns.push(...(await Promise.all(waiting.slice(0, 2))));
  assert.equal(queue.waitingCount, 1);
  assert.deepEqual(heard, [3, 1]);
  queue.resize(1);
  turns[0]?.[Symbol.dispose]();
  turns[1]?.[Symbol.dispose]();
  assert.equal(queue.waitingCount, 1);
  turns[2]?.[Symbol.dispose]();
  (await waiting[2])?.[Symbol.dispose]();
  using _again = await queue.enter(signal, (position) => heard.push(position));
  assert.deepEqual(heard, [3, 1]);
});
