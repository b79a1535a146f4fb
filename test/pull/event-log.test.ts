import assert from "node:assert/strict";
import test from "node:test";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { digestOf } from "../../src/base/digest.ts";
import { EventLog, type EventReader } from "../../src/pull/event-log.ts";
import type { PullEventBody } from "../../src/pull/events.ts";

const digest = digestOf(Buffer.from("layer"));
const progress = (index: number, doneBytes: number): PullEventBody => {
  return { kind: "layerProgress", digest, index, phase: "fetching", doneBytes, totalBytes: 100 };
};
const fetched = (index: number): PullEventBody => {
  return { kind: "layerFetched", digest, index, sizeBytes: 100, cached: false, durationMs: 1, source: "x" };
};

async function all(reader: EventReader): Promise<readonly string[]> {
  const seen: string[] = [];
  for await (const { body, sequence } of reader) {
    const what = body.kind === "layerProgress" ? `progress ${body.index} ${body.doneBytes}` : body.kind;
    seen.push(`${sequence} ${what}`);
  }
  return seen;
}

test("a reader that keeps up sees everything in order", async () => {
  const log = new EventLog("p1");
  const reading = all(log.read());
  for (const body of [progress(0, 1), progress(0, 2), fetched(0)]) {
    log.append("fetch", body);
    await new Promise(setImmediate);
  }
  log.end();
  assert.deepEqual(await reading, ["1 progress 0 1", "2 progress 0 2", "3 layerFetched"]);
});

test("a slow reader gets every milestone, and of progress the latest", async () => {
  const log = new EventLog("p1");
  const reader = log.read();
  for (let done = 1; done <= 1000; done++)
    for (const index of [0, 1]) log.append("fetch", progress(index, done));
  log.append("fetch", fetched(0));
  log.append("fetch", progress(1, 1001));
  log.append("fetch", fetched(1));
  log.end();
  assert.deepEqual(await all(reader), [
    "1999 progress 0 1000",
    "2001 layerFetched",
    "2002 progress 1 1001",
    "2003 layerFetched",
  ]);
});

test("a late reader gets the milestones and how things stand, not how they stood", async () => {
  const log = new EventLog("p1");
  for (const body of [progress(0, 50), fetched(0), progress(1, 20), progress(1, 30)])
    log.append("fetch", body);
  const reading = all(log.read());
  await new Promise(setImmediate);
  log.end();
  assert.deepEqual(await reading, ["2 layerFetched", "4 progress 1 30"]);
});

test("a failed pull's error comes after its last event", async () => {
  const log = new EventLog("p1");
  log.append("fetch", fetched(0));
  log.end(new BangerError("DISK_FULL", "full", { op: "pull" }));
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    for await (const event of log.read()) seen.push(event.body.kind);
  };
  await assert.rejects(read(), (error) => hasReason(error, "DISK_FULL"));
  assert.deepEqual(seen, ["layerFetched"]);
});

test("closing a reader ends a read that waits", async () => {
  const log = new EventLog("p1");
  const reader = log.read();
  const reading = all(reader);
  await new Promise(setImmediate);
  reader[Symbol.dispose]();
  assert.deepEqual(await reading, []);
});

test("of a place in line only the latest is kept, until the wait is over", async () => {
  const log = new EventLog("p1");
  const waiting = (position: number): PullEventBody => ({ kind: "waiting", position, why: "others build" });
  for (let position = 500; position > 0; position--) log.append("resolve", waiting(position));
  const waits = log.read()[Symbol.asyncIterator]();
  assert.equal((await waits.next()).value?.sequence, 500);
  log.append("kernel", { kind: "kernelResolved", skipped: true, name: "", version: "", warnings: [] });
  log.end();
  assert.deepEqual(await all(log.read()), ["501 kernelResolved"]);
});

test("a download that limps on for ever takes no memory for it", async () => {
  const log = new EventLog("p1");
  for (let attempt = 1; attempt <= 10_000; attempt++) {
    log.append("fetch", { kind: "retrying", subject: "layer", attempt, delayMs: 1, why: "cut" });
  }
  const reading = all(log.read());
  await new Promise(setImmediate);
  log.end();
  const seen = await reading;
  assert.equal(seen.length, 201);
  assert.equal(seen.at(-1), "10000 retrying");
});
