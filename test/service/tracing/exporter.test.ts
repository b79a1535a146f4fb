import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TraceExporter } from "../../../src/service/tracing/exporter.ts";
import { FakeCollector } from "./collector.ts";

function recording(): {
  events: string[];
  onFailure: (why: string) => void;
  onRecovery: (dropped: number) => void;
} {
  const events: string[] = [];
  return {
    events,
    onFailure: (why) => void events.push(`failure ${why}`),
    onRecovery: (dropped) => void events.push(`recovery ${dropped}`),
  };
}

describe("the exporter of traces", () => {
  test("posts each document to the collector, in order", async () => {
    await using collector = await FakeCollector.start();
    const told = recording();
    {
      await using exporter = new TraceExporter(collector.endpoint, told);
      for (const n of [1, 2, 3]) exporter.send({ n });
    }
    assert.deepEqual(collector.bodies, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    assert.deepEqual(new Set(collector.requests), new Set(["POST /v1/traces application/json"]));
    assert.deepEqual(told.events, []);
  });

  test("tries again what a collector can't take now, and drops what it won't", async () => {
    await using collector = await FakeCollector.start();
    collector.answers = [503, 429, 200, 400];
    const told = recording();
    await using exporter = new TraceExporter(collector.endpoint, told, [1, 1, 1]);
    exporter.send({ n: 1 });
    exporter.send({ n: 2 });
    exporter.send({ n: 3 });
    await collector.heard(5);
    await exporter[Symbol.asyncDispose]();
    assert.deepEqual(collector.bodies, [{ n: 1 }, { n: 3 }]);
    assert.deepEqual(told.events, [
      "failure it answered 503",
      "recovery 0",
      "failure it answered 400",
      "recovery 1",
    ]);
  });

  test("one that is away costs a bounded queue, nobody's time, and one line", async () => {
    const gone = await FakeCollector.start();
    const { endpoint, port } = gone;
    await gone[Symbol.asyncDispose]();
    const told = recording();
    const exporter = new TraceExporter(endpoint, told, [50, 50, 50]);
    for (let n = 0; n < 1000; n++) exporter.send({ n });
    while (told.events.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await using back = await FakeCollector.start(port);
    await back.heard(256);
    await exporter[Symbol.asyncDispose]();
    assert.equal(back.bodies.length, 256);
    assert.match(told.events[0] ?? "", /^failure .*ECONNREFUSED/);
    assert.deepEqual(told.events.slice(1), ["recovery 744"]);
  });

  test("is disposed of in a moment, whether the collector is silent or away, and takes nothing after", async () => {
    await using silent = await FakeCollector.start();
    silent.answers = ["hang"];
    const exporter = new TraceExporter(silent.endpoint, recording());
    exporter.send({ n: 1 });
    await silent.heard(1);
    await exporter[Symbol.asyncDispose]();
    exporter.send({ n: 2 });
    await exporter[Symbol.asyncDispose]();
    assert.equal(silent.requests.length, 1);

    const gone = await FakeCollector.start();
    const { endpoint } = gone;
    await gone[Symbol.asyncDispose]();
    const waiting = new TraceExporter(endpoint, recording());
    for (const n of [1, 2, 3]) waiting.send({ n });
    await waiting[Symbol.asyncDispose]();
  });
});
