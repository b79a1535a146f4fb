import assert from "node:assert/strict";
import { test } from "node:test";
import type { PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import { layerLine, rateOf } from "../../../src/client/render/layer-view.ts";
import { emptyPull, reducePull, type PullModel } from "../../../src/client/render/pull-model.ts";
import * as make from "../events.ts";

function modelOf(events: readonly PullEvent[]): PullModel {
  return events.reduce(reducePull, emptyPull);
}

const at = (events: readonly PullEvent[]): number => make.start + (events.length - 1) * 100;

test("the bar gives way first, then time left, rate and bytes", () => {
  const events = make.timeline(
    make.resolved(1),
    ...[0, 1, 2, 3, 4].map((mebibytes) => make.layerProgress(0, "fetch", mebibytes * 1024 * 1024)),
  );
  const layer = modelOf(events).layers[0] ?? assert.fail();
  const drawn = (width: number): string =>
    layerLine(layer, { width, now: at(events) })
      .map(({ text }) => text)
      .join("");
  const bar = "    000000000000 ━+─+  40 %";
  assert.match(drawn(80), new RegExp(`^${bar} 4.00 MiB of 10.0 MiB 10.0 MiB/s, 600 ms left$`));
  assert.match(drawn(78), new RegExp(`^${bar} 4.00 MiB of 10.0 MiB 10.0 MiB/s$`));
  assert.match(drawn(62), new RegExp(`^${bar} 4.00 MiB of 10.0 MiB$`));
  assert.match(drawn(51), new RegExp(`^${bar}$`));
});

test("bars are as long as each other, and as they were, whatever stands beside them", () => {
  const bars = (events: readonly PullEvent[], width: number): readonly number[] =>
    modelOf(events).layers.map(
      (layer) =>
        layerLine(layer, { width, now: at(events) })
          .map(({ text }) => text)
          .join("")
          .replace(/[^━─]/g, "").length,
    );
  for (const width of [40, 60, 80, 100, 200]) {
    const early = make.timeline(
      make.resolved(2),
      make.layerProgress(0, "fetch", 1),
      make.layerProgress(1, "fetch", 0),
    );
    const late = make.timeline(
      make.resolved(2),
      ...[1, 2, 3, 4].map((mebibytes) => make.layerProgress(0, "fetch", mebibytes * 1_000_000)),
      make.layerProgress(1, "scan", 9_999_999),
    );
    assert.equal(new Set([...bars(early, width), ...bars(late, width)]).size, 1, `${width} columns`);
  }
});

test("no rate from one sample, from too short a time, or backwards", () => {
  assert.equal(rateOf([]), undefined);
  assert.equal(rateOf([{ time: 0, bytes: 5 }]), undefined);
  assert.equal(
    rateOf([
      { time: 0, bytes: 0 },
      { time: 100, bytes: 5 },
    ]),
    undefined,
  );
  assert.equal(
    rateOf([
      { time: 0, bytes: 9 },
      { time: 1000, bytes: 5 },
    ]),
    undefined,
  );
  assert.equal(
    rateOf([
      { time: 0, bytes: 0 },
      { time: 500, bytes: 5 },
    ]),
    10,
  );
});
