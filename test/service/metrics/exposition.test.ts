import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Counter, Histogram, renderMetrics } from "../../../src/service/metrics/exposition.ts";
import { remembered } from "../../../src/service/metrics/remembered.ts";

describe("Prometheus' text format", () => {
  test("has help, type and a line for each sample", () => {
    const text = renderMetrics([
      { name: "a_total", help: "One.", type: "counter", samples: [{ value: 3 }] },
      {
        name: "b",
        help: "Odd \\ and\nbroken.",
        type: "gauge",
        samples: [
          { labels: { x: 'q"\\\n', y: "" }, value: 0.25 },
          { labels: {}, value: Infinity },
          { value: -Infinity },
          { value: Number.NaN },
        ],
      },
    ]);
    assert.equal(
      text,
      "# HELP a_total One.\n# TYPE a_total counter\na_total 3\n" +
        "# HELP b Odd \\\\ and\\nbroken.\n# TYPE b gauge\n" +
        'b{x="q\\"\\\\\\n",y=""} 0.25\nb +Inf\nb -Inf\nb NaN\n',
    );
  });

  test("a counter has its known labels from the start", () => {
    const counter = new Counter([{ outcome: "good" }, { outcome: "bad" }]);
    counter.add({ outcome: "bad" });
    counter.add({ outcome: "bad" }, 4);
    assert.deepEqual(counter.samples(), [
      { labels: { outcome: "good" }, value: 0 },
      { labels: { outcome: "bad" }, value: 5 },
    ]);
  });

  test("a histogram's buckets count all that is not above them, the last one everything", () => {
    const histogram = new Histogram([1, 10]);
    for (const value of [0.5, 1, 5, 100]) histogram.observe({ stage: "build" }, value);
    const samples = histogram.samples();
    const text = renderMetrics([{ name: "d", help: "H.", type: "histogram", samples }]);
    assert.deepEqual(text.trim().split("\n").slice(2), [
      'd_bucket{stage="build",le="1"} 2',
      'd_bucket{stage="build",le="10"} 3',
      'd_bucket{stage="build",le="+Inf"} 4',
      'd_sum{stage="build"} 106.5',
      'd_count{stage="build"} 4',
    ]);
  });
});

describe("what is remembered", () => {
  test("is asked for again once it is old, and shared by those who ask at once", async () => {
    let now = 0;
    let asked = 0;
    const get = remembered(
      10,
      async () => ++asked,
      () => now,
    );
    assert.deepEqual(await Promise.all([get(), get()]), [1, 1]);
    now = 9;
    assert.equal(await get(), 1);
    now = 10;
    assert.equal(await get(), 2);
  });

  test("is no failure", async () => {
    let asked = 0;
    const get = remembered(
      10,
      async () => {
        if (++asked === 1) throw new Error("no");
        return asked;
      },
      () => 0,
    );
    await assert.rejects(get(), /no/);
    assert.equal(await get(), 2);
  });
});
