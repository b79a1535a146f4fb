import { median } from "./median.ts";
import { ratios, secondsOf, type ImageResults, type Results } from "./results.ts";

export const toMB = (bytes: number): string => `${Math.round(bytes / 1e6)}`;

interface Row {
  readonly tool: string;
  readonly cells: readonly string[];
}

/** A row for each tool: seconds, ratio to the floor, memory, bytes written, and where the time went. */
export function rowsOf(image: ImageResults): readonly Row[] {
  const floor = secondsOf(image, "floor", "write");
  return Object.entries(image.tools).map(([tool, { runs }]) => {
    const seconds = secondsOf(image, tool) ?? Number.NaN;
    const [first] = runs;
    const parts = Object.keys(first?.parts ?? {}).map(
      (part) => `${part} ${(secondsOf(image, tool, part) ?? Number.NaN).toFixed(2)}`,
    );
    return {
      tool,
      cells: [
        seconds.toFixed(2),
        floor === undefined ? "" : (seconds / floor).toFixed(2),
        median(runs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
        toMB(median(runs.map(({ peakBytes }) => peakBytes))),
        toMB(median(runs.map(({ writtenBytes }) => writtenBytes))),
        parts.join(", "),
      ],
    };
  });
}

export const columns = [
  "seconds",
  "to the floor",
  "CPU seconds",
  "peak MB",
  "MB written",
  "of which",
] as const;

/** The ratios that were asked for, and what became of them. */
export function ratioLines(results: Results): readonly (readonly [string, string, string, string])[] {
  return ratios.map(({ image, what, most, of }) => {
    const found = results.images[image];
    const value = found === undefined ? undefined : of(found);
    return [image, what, `≤ ${most}`, value === undefined ? "not measured" : value.toFixed(2)];
  });
}

/** For a terminal. */
export function resultText(results: Results): string {
  const lines = [results.machine, `medians of up to ${results.rounds} rounds`];
  for (const [name, image] of Object.entries(results.images)) {
    lines.push("", `${name}: ${image.what}`);
    const head = columns.slice(0, 5).map((column) => column.padStart(13));
    lines.push(`${"".padEnd(16)}${head.join("")}`);
    for (const { tool, cells } of rowsOf(image)) {
      const [parts = "", ...figures] = cells.toReversed();
      lines.push(
        `${tool.padEnd(16)}${figures
          .toReversed()
          .map((cell) => cell.padStart(13))
          .join("")}  ${parts}`,
      );
    }
    for (const [tool, why] of Object.entries(image.missing)) lines.push(`${tool.padEnd(16)} ${why}`);
  }
  lines.push("", "ratios");
  for (const [image, what, most, value] of ratioLines(results))
    lines.push(`${image}: ${what}: ${value} (${most})`);
  return lines.join("\n");
}
