import assert from "node:assert/strict";
import test from "node:test";
import { runInSlices, runThrough, type Sliced } from "../../src/base/slices.ts";

function* count(to: number): Sliced<number> {
  let sum = 0;
  for (let i = 1; i <= to; i++) {
    sum += i;
    yield;
  }
  return sum;
}

/** Holds the event loop for longer than one slice may last. */
function* slow(): Sliced<string> {
  for (let i = 0; i < 5; i++) {
    const until = performance.now() + 15;
    while (performance.now() < until);
    yield;
  }
  return "done";
}

test("both ways give the same result", async () => {
  assert.equal(runThrough(count(1000)), 500_500);
  assert.equal(await runInSlices(count(1000), new AbortController().signal), 500_500);
});

test("others get their turn in between", async () => {
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  try {
    assert.equal(await runInSlices(slow(), new AbortController().signal), "done");
  } finally {
    clearInterval(ticking);
  }
  assert.ok(turns >= 2, `${turns} turns`);
});

test("what is to keep up with it is awaited at each pause, and once more at the end", async () => {
  const made: number[] = [];
  let kept = 0;
  function* work(): Sliced<string> {
    for (const pause of slow()) {
      made.push(1);
      yield pause;
    }
    made.push(1);
    return "made";
  }
  const keepUp = async (): Promise<void> => {
    await Promise.resolve();
    kept = made.length;
  };
  assert.equal(await runInSlices(work(), new AbortController().signal, keepUp), "made");
  assert.equal(kept, 6);
  const fails = runInSlices(work(), new AbortController().signal, () => Promise.reject(new Error("full")));
  await assert.rejects(fails, /full/u);
});

test("it stops at a pause once aborted", async () => {
  const controller = new AbortController();
  const running = runInSlices(slow(), controller.signal);
  setImmediate(() => controller.abort());
  await assert.rejects(running, { name: "AbortError" });
});

test("what it holds is given back once aborted, and where the work fails", async () => {
  const given: string[] = [];
  function* holding(name: string, work: Sliced<string>): Sliced<string> {
    using _held = { [Symbol.dispose]: () => void given.push(name) };
    return yield* work;
  }
  function* failing(): Sliced<string> {
    yield;
    throw new Error("broken");
  }
  const controller = new AbortController();
  const running = runInSlices(holding("aborted", slow()), controller.signal);
  setImmediate(() => controller.abort());
  await assert.rejects(running, { name: "AbortError" });
  const { signal } = new AbortController();
  await assert.rejects(runInSlices(holding("failed", failing()), signal), /broken/u);
  await assert.rejects(
    runInSlices(holding("left behind", slow()), signal, () => Promise.reject(new Error("full"))),
    /full/u,
  );
  assert.deepEqual(given, ["aborted", "failed", "left behind"]);
});
