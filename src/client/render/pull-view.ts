import { layerLine } from "./layer-view.ts";
import { drawLine, lineWidth, type Line, type Span } from "./paint.ts";
import type { LayerModel, PullModel, StageModel } from "./pull-model.ts";
import { padEnd, safeText } from "./text.ts";
import { formatBytes, formatCount, formatDuration, plural, shortHex } from "./units.ts";

/** The terminal that a frame is drawn for, and the moment it is drawn at (of the daemon's clock). */
export interface Frame {
  readonly width: number;
  readonly rows: number;
  readonly now: number;
  readonly colour: boolean;
  /** Nothing goes on any more: what has not ended never will. */
  readonly over?: boolean;
}

const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const spinnerMs = 100;
/** Times stand in a column; on a wide terminal it stays close to what it belongs to. */
const textColumns = 100;

/** One frame of a running pull: no line wider than `width`, no more lines than `rows`. Pure. */
export function drawPull(model: PullModel, frame: Frame): string[] {
  const head = headLines(model, frame);
  const foot = footLines(model, frame);
  const stages = stagesShown(model, frame.rows - head.length - foot.length - 1, frame.over === true);
  const room = Math.max(1, frame.rows - head.length - stages.length - foot.length);
  const layers = model.published === undefined ? layerLines(model.layers, room, frame) : [];
  const stageLines = stages.map((stage) => stageLine(stage, frame));
  const at = stages.findLastIndex(({ stage }) => ["resolve", "kernel", "fetch", "scan"].includes(stage)) + 1;
  const lines = [...head, ...stageLines.slice(0, at), ...layers, ...stageLines.slice(at), ...foot];
  return lines.slice(0, Math.max(1, frame.rows)).map((line) => drawLine(line, frame.width, frame.colour));
}

/** All stages where they leave room for the layers, else those that run. What is to come is nothing once all is over. */
function stagesShown({ stages: all }: PullModel, room: number, over: boolean): readonly StageModel[] {
  const stages = over ? all.filter(({ state }) => state !== "waiting") : all;
  return stages.length <= room ? stages : stages.filter(({ state }) => state === "running");
}

function headLines({ title, waiting }: PullModel, frame: Frame): readonly Line[] {
  const lines: Line[] = [];
  if (title !== undefined) {
    const name: Span = { text: safeText(title.name), style: "bold" };
    const rest = `  ${title.platform}  ${shortHex(title.digest)}`;
    const what = { text: safeText(`${title.reference} → `) };
    lines.push([what, name, { text: safeText(rest), style: "dim" }]);
  }
  if (waiting !== undefined) {
    const place = waiting.position > 0 ? `, number ${waiting.position} in line` : "";
    lines.push([mark(frame), { text: ` waiting${place}: ${safeText(waiting.why)}`, style: "yellow" }]);
  }
  return lines;
}

function footLines({ retry }: PullModel, frame: Frame): readonly Line[] {
  if (retry === undefined || frame.over === true) return [];
  const wait = retry.until > frame.now ? `in ${formatDuration(retry.until - frame.now)}` : "now";
  // Why comes last: it is what may be cut off.
  const text = `${retry.subject}: try ${retry.attempt} ${wait}: ${retry.why}`;
  return [[{ text: `! ${safeText(text)}`, style: "yellow" }]];
}

function stageLine(stage: StageModel, frame: Frame): Line {
  const name = padEnd(stage.stage, 11);
  if (stage.state === "waiting") return [{ text: `  ${stage.stage}`, style: "dim" }];
  if (stage.state === "skipped") return [{ text: `- ${name}${stage.result}`, style: "dim" }];
  const running = stage.state === "running";
  const elapsed = stage.startedAt === undefined ? undefined : frame.now - stage.startedAt;
  const time = running ? elapsed : stage.durationMs;
  const line: Line = running
    ? [mark(frame), { text: ` ${name}${progressOf(stage)}` }]
    : [{ text: "✓", style: "green" }, { text: ` ${name}${stage.result}` }];
  return withTime(line, time === undefined ? "" : formatDuration(time), frame.width);
}

function progressOf({ progress }: StageModel): string {
  if (progress === undefined) return "";
  const { done, total, unit } = progress;
  const amount = (value: number): string =>
    unit === "bytes" ? formatBytes(value) : `${formatCount(value)} ${safeText(unit)}`;
  if (total <= 0) return amount(done);
  return `${amount(done)} of ${amount(total)}, ${Math.floor((Math.min(done, total) / total) * 100)} %`;
}

/** Puts the time at the right end, taking from the text what it needs. */
function withTime(line: Line, time: string, width: number): Line {
  if (time === "") return line;
  const columns = Math.min(width, textColumns) - time.length - 1;
  const text = drawLine(line, columns, false);
  const gap = " ".repeat(Math.max(1, columns + 1 - lineWidth([{ text }])));
  const [first, ...rest] = line;
  if (first === undefined) return line;
  const tail = text.slice(first.text.length);
  return [first, { text: rest.length === 0 ? "" : tail }, { text: gap }, { text: time, style: "dim" }];
}

/** All layers where there is room, else those at work and one line for the rest. */
function layerLines(layers: readonly LayerModel[], room: number, frame: Frame): readonly Line[] {
  if (layers.length <= room) return layers.map((layer) => layerLine(layer, frame));
  const active = layers.filter(({ state }) => state === "fetching" || state === "scanning");
  const shown = active.slice(0, room - 1).map((layer) => layerLine(layer, frame));
  const count = (wanted: (layer: LayerModel) => boolean): string => formatCount(layers.filter(wanted).length);
  const summary = [
    plural(layers.length, "layer"),
    `${count(({ state }) => state === "done")} done`,
    `${count(({ state }) => state === "fetched")} to scan`,
    `${formatCount(active.length)} at work`,
    `${count(({ state }) => state === "waiting")} waiting`,
  ].join(", ");
  return [...shown, [{ text: `    ${summary}`, style: "dim" }]];
}

function mark(frame: Frame): Span {
  if (frame.over === true) return { text: "✗", style: "red" };
  return { text: spinner[Math.floor(frame.now / spinnerMs) % spinner.length] ?? "·", style: "cyan" };
}
