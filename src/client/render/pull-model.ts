import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { LayerPhase, type Published, type PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import { stages, type Stage } from "../../pull/events.ts";
import { describeMilestone } from "./milestone.ts";
import { formatBytes, plural } from "./units.ts";

/** What is known of a pull, folded from its events. Times are milliseconds since 1970, of the daemon's clock. */
export interface PullModel {
  readonly pullId: string;
  readonly startedAt: number | undefined;
  /** When it was published. */
  readonly endedAt: number | undefined;
  readonly title: PullTitle | undefined;
  readonly waiting: { readonly position: number; readonly why: string } | undefined;
  readonly retry: RetryModel | undefined;
  readonly layers: readonly LayerModel[];
  readonly stages: readonly StageModel[];
  readonly published: Published | undefined;
}

export interface PullTitle {
  readonly reference: string;
  readonly name: string;
  readonly platform: string;
  readonly digest: string;
}

export interface RetryModel {
  readonly subject: string;
  readonly attempt: number;
  readonly why: string;
  readonly until: number;
}

export type LayerState = "waiting" | "fetching" | "fetched" | "scanning" | "done";

export interface LayerModel {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly state: LayerState;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Where its fetching or scanning was, newest last, for the rate. */
  readonly samples: readonly Sample[];
  readonly cached: boolean;
  /** Of the archive, once it is scanned. */
  readonly entryCount: number;
  readonly inflatedBytes: number;
}

export interface Sample {
  readonly time: number;
  readonly bytes: number;
}

export type StageState = "waiting" | "running" | "done" | "skipped";

export interface StageModel {
  readonly stage: Stage;
  readonly state: StageState;
  readonly result: string;
  readonly startedAt: number | undefined;
  readonly durationMs: number | undefined;
  readonly progress: { readonly done: number; readonly total: number; readonly unit: string } | undefined;
}

/** How far back the rate looks, in milliseconds: long enough to be calm, short enough to be true. */
const rateWindowMs = 5000;

export const emptyPull: PullModel = {
  pullId: "",
  startedAt: undefined,
  endedAt: undefined,
  title: undefined,
  waiting: undefined,
  retry: undefined,
  layers: [],
  stages: stages.map((stage) => ({
    stage,
    state: "waiting",
    result: "",
    startedAt: undefined,
    durationMs: undefined,
    progress: undefined,
  })),
  published: undefined,
};

/** The model after one more event. Pure; events of a kind that this version does not know change nothing. */
export function reducePull(model: PullModel, event: PullEvent): PullModel {
  const time = event.time === undefined ? (model.startedAt ?? 0) : timestampMs(event.time);
  // A pull that turned out to be one under way goes on as that one, whose milestones come from the first on.
  const joined = model.pullId !== "" && model.pullId !== event.pullId;
  const before = joined ? emptyPull : model;
  const seen = { ...before, pullId: event.pullId, startedAt: before.startedAt ?? time, waiting: undefined };
  return startNext(finishStage(applyBody(seen, event, time), event, time), time);
}

function applyBody(model: PullModel, { event, stage }: PullEvent, time: number): PullModel {
  switch (event.case) {
    case "waiting":
      return applyWaiting(model, event.value.position, event.value.why);
    case "resolved":
      return applyResolved(model, event.value);
    case "layerProgress": {
      const { index, phase, doneBytes, totalBytes } = event.value;
      const state = phase === LayerPhase.SCANNING ? "scanning" : "fetching";
      return changeLayer({ ...model, retry: undefined }, index, (layer) =>
        progressed(layer, state, Number(doneBytes), Number(totalBytes), time),
      );
    }
    case "retrying": {
      const { subject, attempt, why, delay } = event.value;
      const until = time + (delay === undefined ? 0 : durationMs(delay));
      return { ...model, retry: { subject, attempt, why, until } };
    }
    case "layerFetched": {
      const { index, cached } = event.value;
      return changeLayer({ ...model, retry: undefined }, index, (layer) =>
        layer.state === "done" ? layer : { ...layer, state: "fetched", cached, samples: [] },
      );
    }
    case "layerScanned": {
      const { index, entryCount, inflatedBytes } = event.value;
      const scanned = { entryCount: Number(entryCount), inflatedBytes: Number(inflatedBytes) };
      return changeLayer(model, index, (layer) => ({ ...layer, ...scanned, state: "done", samples: [] }));
    }
    case "stageProgress": {
      const progress = {
        done: Number(event.value.done),
        total: Number(event.value.total),
        unit: event.value.unit,
      };
      return changeStage(model, stage, (of) => ({ ...of, progress }));
    }
    case "published":
      return { ...model, published: event.value, endedAt: time, retry: undefined };
    default:
      return model;
  }
}

/** Nothing runs while the pull waits, whatever looked like being next. */
function applyWaiting(model: PullModel, position: number, why: string): PullModel {
  const pause = (stage: StageModel): StageModel =>
    stage.state === "running" ? { ...stage, state: "waiting", startedAt: undefined } : stage;
  return { ...model, waiting: { position, why }, stages: model.stages.map(pause) };
}

function applyResolved(
  model: PullModel,
  resolved: Extract<PullEvent["event"], { case: "resolved" }>["value"],
): PullModel {
  const { reference, name, platform, manifestDigest, layers } = resolved;
  const parts = [platform?.os, platform?.architecture, platform?.variant];
  return {
    ...model,
    retry: undefined,
    title: {
      reference,
      name,
      platform: parts.filter((part) => part !== undefined && part !== "").join("/"),
      digest: manifestDigest,
    },
    layers: layers.map((layer) => ({
      digest: layer.digest,
      sizeBytes: Number(layer.sizeBytes),
      state: "waiting",
      doneBytes: 0,
      totalBytes: Number(layer.sizeBytes),
      samples: [],
      cached: false,
      entryCount: 0,
      inflatedBytes: 0,
    })),
  };
}

function progressed(
  layer: LayerModel,
  state: "fetching" | "scanning",
  doneBytes: number,
  totalBytes: number,
  time: number,
): LayerModel {
  // Coalesced progress may arrive after the milestone that it led to.
  if (layer.state === "done" || (layer.state === "fetched" && state === "fetching")) return layer;
  const before = layer.state === state ? layer.samples : [];
  const samples = [
    ...before.filter((sample) => sample.time >= time - rateWindowMs),
    { time, bytes: doneBytes },
  ];
  return { ...layer, state, doneBytes, totalBytes, samples };
}

/** Marks the stage that the event ends, if it ends one. Fetch and scan end with the last layer. */
function finishStage(model: PullModel, event: PullEvent, time: number): PullModel {
  const milestone = describeMilestone(event);
  if (milestone !== undefined) {
    const { stage, skipped, result } = milestone;
    const ended = changeStage(model, stage, (of) => ({
      ...of,
      state: skipped ? "skipped" : "done",
      result,
      durationMs: milestone.durationMs ?? since(of.startedAt, time),
      progress: undefined,
    }));
    return ended.published === undefined ? ended : withStageTimes(ended, ended.published);
  }
  return finishLayerStages(model, event, time);
}

function finishLayerStages(model: PullModel, event: PullEvent, time: number): PullModel {
  const { layers } = model;
  const scanned = layers.every((layer) => layer.state === "done");
  const fetched = layers.every((layer) => !["waiting", "fetching"].includes(layer.state));
  const end = (stage: Stage, result: string) => (before: PullModel) =>
    changeStage(before, stage, (of) => ({
      ...of,
      state: "done",
      result,
      durationMs: since(of.startedAt, time),
      progress: undefined,
    }));
  if (event.event.case === "layerFetched" && fetched) {
    return end("fetch", fetchedText(layers))(model);
  }
  if (event.event.case === "layerScanned" && scanned) return end("scan", scannedText(layers))(model);
  return model;
}

function fetchedText(layers: readonly LayerModel[]): string {
  const fetched = layers.filter((layer) => !layer.cached);
  const cached = layers.length - fetched.length;
  const bytes = fetched.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    ...(fetched.length === 0 ? [] : [formatBytes(bytes)]),
    ...(cached === 0 ? [] : [`${cached} of ${plural(layers.length, "layer")} from the cache`]),
  ].join(", ");
}

function scannedText(layers: readonly LayerModel[]): string {
  const entries = layers.reduce((sum, { entryCount }) => sum + entryCount, 0);
  const bytes = layers.reduce((sum, { inflatedBytes }) => sum + inflatedBytes, 0);
  return `${plural(entries, "entry", "entries")}, ${formatBytes(bytes)} inflated`;
}

function since(start: number | undefined, time: number): number | undefined {
  return start === undefined ? undefined : Math.max(0, time - start);
}

/** What the daemon measured is truer than what the events' arrival suggests. */
function withStageTimes(model: PullModel, published: Published): PullModel {
  return published.stageTimes.reduce((before, { stage, duration }) => {
    if (duration === undefined) return before;
    return changeStage(before, stage, (of) => ({ ...of, durationMs: durationMs(duration) }));
  }, model);
}

/** The first stage that has not ended runs; scan runs beside fetch as soon as one layer is whole. */
function startNext(model: PullModel, time: number): PullModel {
  if (model.published !== undefined || model.waiting !== undefined) return model;
  const next = model.stages.find((stage) => stage.state === "waiting" || stage.state === "running");
  if (next === undefined) return model;
  const started = changeStage(model, next.stage, (of) => run(of, time));
  const early = next.stage === "fetch" && model.layers.some((layer) => isFetched(layer.state));
  return early ? changeStage(started, "scan", (of) => run(of, time)) : started;
}

function isFetched(state: LayerState): boolean {
  return state === "fetched" || state === "scanning" || state === "done";
}

function run(stage: StageModel, time: number): StageModel {
  return stage.state === "waiting" ? { ...stage, state: "running", startedAt: time } : stage;
}

function changeStage(model: PullModel, name: string, change: (stage: StageModel) => StageModel): PullModel {
  return { ...model, stages: model.stages.map((stage) => (stage.stage === name ? change(stage) : stage)) };
}

function changeLayer(model: PullModel, index: number, change: (layer: LayerModel) => LayerModel): PullModel {
  return { ...model, layers: model.layers.map((layer, at) => (at === index ? change(layer) : layer)) };
}
