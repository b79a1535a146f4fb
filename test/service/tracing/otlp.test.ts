import assert from "node:assert/strict";
import { test } from "node:test";
import type { BangerError } from "../../../src/base/error.ts";
import { BangerError as Failure } from "../../../src/base/error.ts";
import type { PullEventBody, Stage } from "../../../src/pull/events.ts";
import type { EndedPull } from "../../../src/pull/observer.ts";
import { traceRequest, type Span } from "../../../src/service/tracing/otlp.ts";
import { PullTraces } from "../../../src/service/tracing/pull-traces.ts";
import { digestFor } from "../../store/records.ts";

test("a trace is a request of OTLP/JSON: ids in hex, times as strings of nanoseconds, typed attributes", () => {
  let ids = 0;
  const newId = (bytes: number): string => String(++ids).padStart(bytes * 2, "0");
  const root: Span = {
    name: "pull",
    begin: 1_700_000_000_000.25,
    end: 1_700_000_001_000,
    attributes: { text: "a", whole: 5, part: 0.5, flag: true, none: undefined },
    error: "it broke",
    children: [{ name: "fetch", begin: 2000, end: 1000, attributes: {}, children: [] }],
  };
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  assert.deepEqual(traceRequest({ name: "bangerd", version: "1", instanceId: "i" }, root, newId), {
    resourceSpans: [
      {
        resource: {
          attributes: [
            attribute("service.name", "bangerd"),
            attribute("service.version", "1"),
            attribute("service.instance.id", "i"),
          ],
        },
        scopeSpans: [
          {
            scope: { name: "bangerd", version: "1" },
            spans: [
              {
                traceId: "00000000000000000000000000000001",
                spanId: "0000000000000002",
                name: "pull",
                kind: 1,
                startTimeUnixNano: "1700000000000250000",
                endTimeUnixNano: "1700000001000000000",
                attributes: [
                  attribute("text", "a"),
                  { key: "whole", value: { intValue: "5" } },
                  { key: "part", value: { doubleValue: 0.5 } },
                  { key: "flag", value: { boolValue: true } },
                ],
                status: { code: 2, message: "it broke" },
              },
              {
                traceId: "00000000000000000000000000000001",
                spanId: "0000000000000003",
                parentSpanId: "0000000000000002",
                name: "fetch",
                kind: 1,
                startTimeUnixNano: "2000000000",
                // A span never ends before it begins, whatever a clock does.
                endTimeUnixNano: "2000000000",
                attributes: [],
              },
            ],
          },
        ],
      },
    ],
  });
});

test("ids are random, and of the right length", () => {
  const span: Span = { name: "a", begin: 0, end: 1, attributes: {}, children: [] };
  const made = Array.from({ length: 10 }, () =>
    JSON.stringify(traceRequest({ name: "", version: "", instanceId: "" }, span)),
  );
  assert.equal(new Set(made).size, 10);
  for (const text of made) assert.match(text, /"traceId":"[0-9a-f]{32}","spanId":"[0-9a-f]{16}"/);
});

/** The trace of one pull. */
function traceOf(
  bodies: readonly (readonly [Stage, number, PullEventBody])[],
  failure?: BangerError,
): readonly Span[] {
  const spans: Span[] = [];
  const traces = new PullTraces((root) => spans.push(root));
  const pull = { id: "p1", reference: "debian:12", startedAt: 1000 };
  traces.begun(pull);
  for (const [at, [stage, time, body]] of bodies.entries())
    traces.said({ pullId: "p1", sequence: at + 1, time, stage, body });
  const stages = [
    { stage: "fetch", begin: 1100, end: 1500 },
    { stage: "scan", begin: 1300, end: 1600 },
    { stage: "build", begin: 1600, end: 1900 },
  ] as const;
  const outcome: EndedPull["outcome"] = failure === undefined ? "published" : "failed";
  traces.ended({ ...pull, outcome, endedAt: 2000, name: "debian-12", failure, stages });
  // Forgotten by then.
  traces.ended({ ...pull, outcome, endedAt: 2000, name: "debian-12", failure, stages });
  return spans;
}

const digest = digestFor("l");
const layer = { digest, index: 0, cached: false };

test("a pull is a span with one below it for each stage, and in those one for each layer", () => {
  const [root, ...more] = traceOf([
    ["fetch", 1200, { kind: "retrying", subject: "layer", attempt: 2, delayMs: 5, why: "503" }],
    [
      "fetch",
      1500,
      {
        kind: "layerFetched",
        ...layer,
        sizeBytes: 5,
        durationMs: 400,
        source: "r",
        receivedBytes: 3,
        sparedBytes: 2,
      },
    ],
    [
      "scan",
      1600,
      { kind: "layerScanned", ...layer, diffId: digest, entryCount: 7, inflatedBytes: 9, durationMs: 100 },
    ],
  ]);
  assert.deepEqual(more, []);
  assert.equal(root?.name, "pull");
  assert.deepEqual([root.begin, root.end, root.error], [1000, 2000, undefined]);
  assert.equal(root.attributes["banger.pull.id"], "p1");
  assert.equal(root.attributes["banger.pull.retries"], 1);
  assert.deepEqual(
    root.children.map(({ name, begin, end, children }) => [name, begin, end, children.length]),
    [
      ["fetch", 1100, 1500, 1],
      ["scan", 1300, 1600, 1],
      ["build", 1600, 1900, 0],
    ],
  );
  const [fetched] = root.children[0]?.children ?? [];
  assert.deepEqual([fetched?.name, fetched?.begin, fetched?.end], ["fetch layer", 1100, 1500]);
  assert.equal(fetched?.attributes["banger.layer.spared"], 2);
  const [scanned] = root.children[1]?.children ?? [];
  assert.deepEqual([scanned?.begin, scanned?.attributes["banger.layer.entries"]], [1500, 7]);
});

test("a pull that failed says why", () => {
  const [root] = traceOf([], new Failure("MANIFEST_UNKNOWN", "there is no such tag", { op: "resolve" }));
  assert.equal(root?.error, "there is no such tag");
  assert.equal(root?.attributes["error.type"], "MANIFEST_UNKNOWN");
  assert.equal(root?.attributes["banger.pull.outcome"], "failed");
});
