import type { Line } from "./paint.ts";
import type { LayerModel, Sample } from "./pull-model.ts";
import { padEnd, padStart } from "./text.ts";
import { formatBytes, formatDuration, shortHex } from "./units.ts";

const widestBar = 30;
const narrowestBar = 8;

/** One layer: digest, bar, bytes, rate, time left. On a narrow terminal the last of them go first. */
export function layerLine(layer: LayerModel, frame: { readonly width: number; readonly now: number }): Line {
  const head = `    ${padEnd(shortHex(layer.digest), 12)} `;
  switch (layer.state) {
    case "waiting":
      return [{ text: `${head}waiting, ${formatBytes(layer.sizeBytes)}`, style: "dim" }];
    case "fetched":
      return [
        { text: `${head}${layer.cached ? "in the cache" : "fetched"}, ${formatBytes(layer.sizeBytes)}` },
      ];
    case "done":
      return [{ text: head }, { text: "✓", style: "green" }, { text: ` ${formatBytes(layer.sizeBytes)}` }];
    default:
      return activeLine(layer, layer.state, head, frame);
  }
}

function activeLine(
  layer: LayerModel,
  state: "fetching" | "scanning",
  head: string,
  frame: { readonly width: number; readonly now: number },
): Line {
  const share = layer.totalBytes <= 0 ? 0 : Math.min(1, layer.doneBytes / layer.totalBytes);
  const rate = rateOf(layer.samples);
  const rateText = rate === undefined ? "" : `${formatBytes(rate)}/s`;
  // As wide as they ever get, whatever they say now: bars stay in line with each other, and with the last frame's.
  const columns = [
    padStart(`${Math.floor(share * 100)} %`, 5),
    padEnd(` ${padStart(formatBytes(layer.doneBytes), 8)} of ${formatBytes(layer.totalBytes)}`, 21),
    padEnd(` ${padStart(state === "fetching" ? rateText : "scanning", 10)}`, 11),
    padEnd(state === "fetching" ? timeLeft(layer, rate) : "", 16),
  ];
  const fits = (tail: string): boolean => head.length + narrowestBar + 1 + tail.length <= frame.width;
  while (columns.length > 1 && !fits(columns.join(""))) columns.pop();
  const tail = columns.join("");
  const bar = Math.max(0, Math.min(widestBar, frame.width - head.length - 1 - tail.length));
  const filled = Math.round(share * bar);
  return [
    { text: head },
    { text: "━".repeat(filled), style: state === "fetching" ? "cyan" : "green" },
    { text: "─".repeat(bar - filled), style: "dim" },
    { text: ` ${tail.trimEnd()}` },
  ];
}

/** Bytes a second over the samples' window; undefined while there is too little to say. */
export function rateOf(samples: readonly Sample[]): number | undefined {
  const first = samples.at(0);
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.time - first.time < 200) return undefined;
  const rate = ((last.bytes - first.bytes) * 1000) / (last.time - first.time);
  return rate >= 0 ? rate : undefined;
}

function timeLeft({ totalBytes, doneBytes }: LayerModel, rate: number | undefined): string {
  if (rate === undefined || rate < 1 || totalBytes <= doneBytes) return "";
  return `, ${formatDuration(((totalBytes - doneBytes) / rate) * 1000)} left`;
}
