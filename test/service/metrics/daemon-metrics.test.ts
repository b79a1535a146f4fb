import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PullEventBody } from "../../../src/pull/events.ts";
import type { EndedPull } from "../../../src/pull/observer.ts";
import { DaemonMetrics, type MetricSources } from "../../../src/service/metrics/daemon-metrics.ts";
import { renderMetrics } from "../../../src/service/metrics/exposition.ts";
import { digestFor } from "../../store/records.ts";

const sources: MetricSources = {
  version: "1.2.3",
  startedAt: 1_700_000_000_000,
  activePulls: () => 3,
  waitingPulls: () => 1,
  images: async () => 7,
  cacheBytes: async () => 4096,
};

const pageOf = async (metrics: DaemonMetrics): Promise<string> =>
  renderMetrics(await metrics.collect(sources));

function fetched(body: Partial<Extract<PullEventBody, { kind: "layerFetched" }>>): PullEventBody {
  const digest = digestFor("l");
  return {
    kind: "layerFetched",
    digest,
    index: 0,
    sizeBytes: 100,
    cached: false,
    durationMs: 1,
    source: "r",
    ...body,
  };
}

function ended(outcome: EndedPull["outcome"], seconds: number): EndedPull {
  const stages = [{ stage: "build", begin: 5000, end: 5000 + seconds * 1000 }] as const;
  return { id: "p", reference: "r", startedAt: 0, endedAt: 1, name: "", failure: undefined, outcome, stages };
}

test("the page has a figure for everything, and each is of a kind that is declared", async () => {
  using metrics = new DaemonMetrics();
  const page = await pageOf(metrics);
  for (const line of [
    `banger_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
    'banger_pulls_total{outcome="published"} 0',
    'banger_pulls_total{outcome="joined"} 0',
    "banger_pulls_active 3",
    "banger_pulls_waiting 1",
    'banger_layer_bytes_total{from="resumed"} 0',
    "banger_images 7",
    "banger_cache_bytes 4096",
    "process_start_time_seconds 1700000000",
  ])
    assert.ok(page.split("\n").includes(line), `${line} in ${page}`);
  for (const line of page.trim().split("\n"))
    assert.match(line, /^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{.*\})? [0-9.e+-]+)$/);
});

test("bytes are counted by where they came from, and where they needn't", async () => {
  using metrics = new DaemonMetrics();
  const say = (body: PullEventBody): void =>
    metrics.said({ pullId: "p", sequence: 1, time: 0, stage: "fetch", body });
  say(fetched({ receivedBytes: 100, sparedBytes: 0 }));
  say(fetched({ receivedBytes: 40, sparedBytes: 60 }));
  say(fetched({ cached: true, receivedBytes: 0, sparedBytes: 0 }));
  // A place of a layer that came in already: nothing was asked for.
  say(fetched({ cached: true }));
  say({ kind: "stageProgress", done: 1, total: 2, unit: "bytes" });
  const page = await pageOf(metrics);
  assert.match(page, /^banger_layer_bytes_total\{from="source"\} 140$/m);
  assert.match(page, /^banger_layer_bytes_total\{from="resumed"\} 60$/m);
  assert.match(page, /^banger_layer_bytes_total\{from="cache"\} 200$/m);
});

test("pulls are counted by how they ended, and their stages by how long they took", async () => {
  using metrics = new DaemonMetrics();
  metrics.ended(ended("published", 2));
  metrics.ended(ended("published", 0.005));
  metrics.ended(ended("failed", 9999));
  const page = await pageOf(metrics);
  assert.match(page, /^banger_pulls_total\{outcome="published"\} 2$/m);
  assert.match(page, /^banger_pulls_total\{outcome="failed"\} 1$/m);
  const bucket = (le: string): RegExpExecArray | null =>
    new RegExp(`^banger_stage_duration_seconds_bucket\\{stage="build",le="${le}"\\} (\\d+)$`, "m").exec(page);
  assert.deepEqual(
    ["0.01", "1", "3", "3000", "\\+Inf"].map((le) => bucket(le)?.[1]),
    ["1", "1", "2", "2", "3"],
  );
});

test("a loop that is held up is late, and the next look starts anew", async () => {
  using metrics = new DaemonMetrics();
  const worst = async (): Promise<number> =>
    Number(/^banger_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m.exec(await pageOf(metrics))?.[1]);
  // Twice, for what is first measured from is the first look.
  await sleep(60);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  await sleep(60);
  assert.ok((await worst()) > 0.1);
  assert.equal(await worst(), 0);
});
