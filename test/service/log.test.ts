import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BangerError } from "../../src/base/error.ts";
import type { PullEventBody, Stage } from "../../src/pull/events.ts";
import type { EndedPull } from "../../src/pull/observer.ts";
import { daemonLog, lineLog } from "../../src/service/log.ts";
import { pullLog } from "../../src/service/pull-log.ts";
import { digestFor } from "../store/records.ts";

const now = () => new Date("2026-11-23T07:00:00.000Z");

describe("the log", () => {
  test("is a line an event, for people or as JSON", () => {
    const lines: string[] = [];
    const log = daemonLog((line) => lines.push(line), { level: "info", format: "text" }, now);
    log.info("serving", { socket: "/run/x.sock", pulls: 2, names: ["a", "b"] });
    log.adjust({ level: "info", format: "json" });
    log.warn("serving", { socket: "/run/x.sock", odd: true });
    log.error("bare");
    assert.deepEqual(lines, [
      '2026-11-23T07:00:00.000Z info serving socket="/run/x.sock" pulls=2 names=["a","b"]\n',
      '{"level":"warn","time":"2026-11-23T07:00:00.000Z","socket":"/run/x.sock","odd":true,"event":"serving"}\n',
      '{"level":"error","time":"2026-11-23T07:00:00.000Z","event":"bare"}\n',
    ]);
  });

  test("says no less and no more than its level, which can change", () => {
    const said: string[] = [];
    const log = daemonLog((line) => said.push(line.split(" ")[1] ?? ""), { level: "warn", format: "text" });
    const all = () => {
      said.length = 0;
      for (const level of ["debug", "info", "warn", "error"] as const) log[level]("x");
      return said.join(" ");
    };
    assert.equal(all(), "warn error");
    log.adjust({ level: "debug", format: "text" });
    assert.equal(all(), "debug info warn error");
    log.adjust({ level: "error", format: "text" });
    assert.equal(all(), "error");
  });

  test("keeps a value on its line, and a terminal as it is", () => {
    const lines: string[] = [];
    const log = lineLog((line) => lines.push(line), now);
    const nasty = "a\nb\u001b[31m\u009b\u202e\u2028c";
    log.info("x", { nasty });
    log.adjust({ level: "info", format: "json" });
    log.info("x", { nasty });
    for (const line of lines) {
      assert.match(line, /^[ -~]*\n$/);
      assert.match(line, /a\\nb\\u001b\[31m\\u009b\\u202e\\u2028c/);
    }
  });
});

/** What is logged of one pull. */
function logged(
  level: "debug" | "info",
  events: readonly (readonly [Stage, PullEventBody])[],
  end: Partial<EndedPull>,
) {
  const lines: string[] = [];
  const observer = pullLog(daemonLog((line) => lines.push(line), { level, format: "text" }, now));
  const pull = { id: "p1", reference: "debian:12", startedAt: 1000 };
  observer.begun(pull);
  for (const [at, [stage, body]] of events.entries())
    observer.said({ pullId: "p1", sequence: at + 1, time: 1000, stage, body });
  observer.ended({
    ...pull,
    outcome: "published",
    endedAt: 3500,
    name: "debian-12",
    failure: undefined,
    stages: [],
    ...end,
  });
  return lines.map((line) => line.slice("2026-11-23T07:00:00.000Z ".length, -1));
}

const fetched: PullEventBody = {
  kind: "layerFetched",
  digest: digestFor("l"),
  index: 0,
  sizeBytes: 5,
  cached: false,
  durationMs: 12.3,
  source: "registry.example",
};
const events: readonly (readonly [Stage, PullEventBody])[] = [
  [
    "fetch",
    {
      kind: "layerProgress",
      digest: digestFor("l"),
      index: 0,
      phase: "fetching",
      doneBytes: 2,
      totalBytes: 5,
    },
  ],
  ["fetch", { kind: "retrying", subject: "layer", attempt: 2, delayMs: 1500.4, why: "503" }],
  ["fetch", fetched],
];

describe("the log of pulls", () => {
  test("has begin, end and retries, each with the pull's id", () => {
    assert.deepEqual(logged("info", events, {}), [
      'info pull begins pull="p1" reference="debian:12"',
      'warn pull tries again pull="p1" stage="fetch" subject="layer" attempt=2 delayMs=1500 why="503"',
      'info pull published pull="p1" name="debian-12" durationMs=2500',
    ]);
  });

  test("has milestones too, for who looks closer, and never progress", () => {
    const lines = logged("debug", events, {});
    assert.equal(lines.length, 4);
    assert.match(
      lines[2] ?? "",
      /^debug pull layerFetched pull="p1" stage="fetch" digest="[0-9a-f]{12}" index=0 sizeBytes=5 cached=false durationMs=12 /,
    );
    assert.doesNotMatch(lines.join("\n"), /rogress/);
  });

  test("says why a pull failed, and how loud depends on whose matter it is", () => {
    const failure = (reason: "INTERNAL" | "MANIFEST_UNKNOWN" | "CANCELLED") =>
      new BangerError(reason, "it went wrong", {
        op: "pull",
        hint: "Do this.",
        cause: new Error("the real cause"),
      });
    const line = (reason: "INTERNAL" | "MANIFEST_UNKNOWN" | "CANCELLED", outcome: EndedPull["outcome"]) =>
      logged("info", [], { outcome, failure: failure(reason) }).at(-1);
    const facts = (reason: string) =>
      `pull="p1" name="debian-12" durationMs=2500 reason="${reason}" op="pull" error="it went wrong" hint="Do this."`;
    assert.equal(line("MANIFEST_UNKNOWN", "failed"), `warn pull failed ${facts("MANIFEST_UNKNOWN")}`);
    assert.equal(line("CANCELLED", "cancelled"), `info pull cancelled ${facts("CANCELLED")}`);
    assert.equal(
      line("INTERNAL", "failed"),
      `error pull failed ${facts("INTERNAL")} causes=["Error: the real cause"]`,
    );
  });
});
