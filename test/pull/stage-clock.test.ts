import assert from "node:assert/strict";
import test from "node:test";
import { StageClock } from "../../src/pull/stage-clock.ts";

test("a stage lasts from its first part's beginning to its last part's end, and stages come in the road's order", async () => {
  let now = 0;
  const clock = new StageClock(() => now);
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  now = 10;
  const a = clock.time("scan", () => gates[0]?.promise ?? Promise.resolve());
  now = 20;
  const b = clock.time("scan", () => gates[1]?.promise ?? Promise.resolve());
  await clock.time("fetch", async () => {
    now = 25;
    await Promise.resolve();
  });
  now = 40;
  gates[1]?.resolve();
  assert.equal((await b).durationMs, 20);
  now = 70;
  gates[0]?.resolve();
  assert.equal((await a).durationMs, 60);
  assert.deepEqual(clock.times(), [
    { stage: "fetch", durationMs: 5 },
    { stage: "scan", durationMs: 60 },
  ]);
});

test("a stage that fails has taken its time too", async () => {
  let now = 0;
  const clock = new StageClock(() => now);
  const failing = clock.time("build", async () => {
    now = 7;
    await Promise.reject(new Error("no"));
  });
  await assert.rejects(failing);
  assert.deepEqual(clock.times(), [{ stage: "build", durationMs: 7 }]);
});

test("a stage's span is where it was in time", async () => {
  let now = 100;
  const clock = new StageClock(
    () => now,
    () => 1_000_000 + now,
  );
  await clock.time("build", async () => {
    now = 150;
  });
  now = 900;
  assert.deepEqual(clock.spans(), [{ stage: "build", begin: 1_000_100, end: 1_000_150 }]);
});
