import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sideBySide } from "../../src/base/side-by-side.ts";

const forever = new AbortController().signal;

test("both give what they have", async () => {
  const both = await sideBySide(forever, () => [Promise.resolve(1), sleep(5, "two")]);
  assert.deepEqual(both, [1, "two"]);
});

test("a failure stops the other, and is told once that has ended", async () => {
  let ended = false;
  const failure = new Error("first");
  const work = sideBySide(forever, (signal) => [
    Promise.reject(failure),
    (async () => {
      await sleep(60_000, undefined, { signal }).catch(() => {});
      await sleep(5);
      ended = true;
    })(),
  ]);
  await assert.rejects(work, failure);
  assert.ok(ended);
});

test("an abort from outside reaches both", async () => {
  const outer = new AbortController();
  const work = sideBySide(outer.signal, (signal) => [
    sleep(60_000, undefined, { signal }),
    sleep(60_000, undefined, { signal }),
  ]);
  outer.abort(new Error("enough"));
  await assert.rejects(work, { name: "AbortError" });
});
