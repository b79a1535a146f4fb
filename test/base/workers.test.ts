import assert from "node:assert/strict";
import { getPriority } from "node:os";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { WorkerPool, workerFile } from "../../src/base/workers.ts";
import type { EchoJob } from "./echo-worker.ts";

const pool = (size?: number): WorkerPool<EchoJob, string, number> =>
  new WorkerPool(workerFile(import.meta.dirname, "echo-worker"), size);
const signal = new AbortController().signal;

test("a job returns, and reports on its way", async () => {
  await using workers = pool();
  const seen: number[] = [];
  assert.equal(await workers.run("say", { signal, onProgress: (value) => seen.push(value) }), "said");
  assert.deepEqual(seen, [1, 2]);
});

test("more jobs than threads are all done", async () => {
  await using workers = pool(2);
  const results = await Promise.all(Array.from({ length: 9 }, () => workers.run("say", { signal })));
  assert.deepEqual(
    results,
    Array.from({ length: 9 }, () => "said"),
  );
});

test("a thread that yields has a lower priority, and no other thread has", async () => {
  await using workers = pool(1);
  const before = getPriority();
  assert.equal(await workers.run("yield", { signal }), String(Math.min(before + 10, 19)));
  assert.equal(getPriority(), before);
});

test("an error keeps its reason, hint and facts across the thread", async () => {
  await using workers = pool();
  await assert.rejects(workers.run("fail", { signal }), (error) => {
    assert.ok(error instanceof BangerError);
    assert.deepEqual([error.reason, error.hint, error.facts], ["LAYER_UNSAFE", "don't", { entry: "7" }]);
    return true;
  });
  await assert.rejects(workers.run("break", { signal }), (error) => hasReason(error, "INTERNAL"));
});

test("a thread that dies fails its job, and the next job gets a new one", async () => {
  await using workers = pool(1);
  const died = workers.run("die", { signal });
  const next = workers.run("say", { signal });
  await assert.rejects(died, (error) => error instanceof BangerError);
  assert.equal(await next, "said");
});

test("aborting stops a job that never would", async () => {
  await using workers = pool(1);
  const controller = new AbortController();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const hung = workers.run("hang", { signal: controller.signal, onProgress: () => resolve() });
  const waiting = workers.run("say", { signal });
  await begun;
  controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
  await assert.rejects(hung, (error) => hasReason(error, "CANCELLED"));
  assert.equal(await waiting, "said");
});

test("threads may be ready before there is work", async () => {
  await using workers = pool(2);
  workers.warm(9);
  assert.deepEqual(await Promise.all(["say", "say", "say"].map(() => workers.run("say", { signal }))), [
    "said",
    "said",
    "said",
  ]);
});

test("a thread without work ends, and the next job gets a new one", async () => {
  const file = workerFile(import.meta.dirname, "echo-worker");
  await using workers = new WorkerPool<EchoJob, string>(file, 1, {}, 20);
  const first = await workers.run("which", { signal });
  // Each answer is some thread's, however the end of one and the next job fall together.
  while ((await workers.run("which", { signal })) === first) await sleep(25);
  await using lasting = pool(1);
  const kept = await lasting.run("which", { signal });
  await sleep(100);
  assert.equal(await lasting.run("which", { signal }), kept);
});

test("a thread that fails before there is work takes nobody with it", async () => {
  await using broken = new WorkerPool<EchoJob, string, number>("/nowhere/worker.ts", 1);
  broken.warm(1);
  await sleep(100);
  await assert.rejects(broken.run("say", { signal }), (error) => hasReason(error, "INTERNAL"));
});

test("closing the pool ends what runs and what waits", async () => {
  const workers = pool(1);
  const ends = [workers.run("hang", { signal }), workers.run("say", { signal })];
  const settled = Promise.allSettled(ends);
  await workers[Symbol.asyncDispose]();
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await assert.rejects(workers.run("say", { signal }), (error) => hasReason(error, "CANCELLED"));
});
