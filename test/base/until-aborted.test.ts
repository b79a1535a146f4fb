import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test from "node:test";
import { BangerError } from "../../src/base/error.ts";
import { untilAborted } from "../../src/base/until-aborted.ts";

test("what comes first counts, and no listener is left", async () => {
  const controller = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(1), controller.signal, "wait"), 1);
  const failure = new Error("failed");
  await assert.rejects(untilAborted(Promise.reject(failure), controller.signal, "wait"), failure);
  const waiting = untilAborted(new Promise(() => {}), controller.signal, "wait");
  const reason = new BangerError("SHUTTING_DOWN", "the daemon stops", { op: "stop" });
  controller.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  assert.deepEqual(getEventListeners(controller.signal, "abort"), []);
});

test("a signal that has aborted comes before what is there already; a reason of no kind of ours is a cancel", async () => {
  await assert.rejects(untilAborted(Promise.resolve(1), AbortSignal.abort(), "wait"), {
    reason: "CANCELLED",
    op: "wait",
  });
});
