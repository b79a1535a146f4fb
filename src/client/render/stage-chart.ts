import type { Line } from "./paint.ts";
import type { StageModel } from "./pull-model.ts";
import { displayWidth, padEnd, padStart } from "./text.ts";
import { formatDuration } from "./units.ts";

const widestBar = 30;
const narrowestBar = 6;
/** Columns for what a stage came to, before a bar may have more than the narrowest. */
const resultColumns = 52;

/** Stages that did something, with their times as bars beside each other's, and what they came to; no line wider than `width`. */
export function stageChart(stages: readonly StageModel[], width: number): Line[] {
  const timed = stages.flatMap(({ stage, state, result, durationMs }) =>
    state !== "done" || durationMs === undefined
      ? []
      : [{ stage, result, durationMs, time: formatDuration(durationMs) }],
  );
  const longest = Math.max(1, ...timed.map(({ durationMs }) => durationMs));
  const nameWidth = Math.max(0, ...timed.map(({ stage }) => stage.length));
  const timeWidth = Math.max(0, ...timed.map(({ time }) => displayWidth(time)));
  const room = width - nameWidth - timeWidth - 4;
  const barWidth = Math.max(0, Math.min(widestBar, Math.max(narrowestBar, room - resultColumns), room));
  return timed.map(({ stage, result, durationMs, time }) => {
    const bar = barText(durationMs / longest, barWidth);
    return [
      { text: `${padEnd(stage, nameWidth)}  ${padStart(time, timeWidth)}  ` },
      { text: bar, style: "cyan" },
      { text: result === "" ? "" : `${" ".repeat(barWidth - displayWidth(bar))}  ${result}`, style: "dim" },
    ];
  });
}

/** In half columns, and at least one: all that is listed took some time. */
function barText(share: number, columns: number): string {
  const halves = Math.max(1, Math.round(share * columns * 2));
  return columns === 0 ? "" : "━".repeat(Math.floor(halves / 2)) + (halves % 2 === 1 ? "╸" : "");
}
