import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { plot } from "./plot.ts";
import { columns, ratioLines, rowsOf } from "./result-text.ts";
import type { Results } from "./results.ts";

/** What stands between these lines of the page is the bench's; all else is written by hand. */
const begin = "<!-- results: npm run bench -- --report -->";
const end = "<!-- end of results -->";

/** Puts tables and plot into `performance.md` and `performance.svg` of the folder. */
export function writeReport(results: Results, docs: string): void {
  const page = join(docs, "performance.md");
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for results`);
  writeFileSync(page, `${text.slice(0, from)}${begin}\n\n${tables(results)}\n${text.slice(to)}`);
  writeFileSync(join(docs, "performance.svg"), plot(results));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, at) => (at === 0 ? "---" : at === head.length - 1 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function tables(results: Results): string {
  const parts = [
    `${results.machine}; medians of up to ${results.rounds} rounds: once, of what takes long and on images without a figure to keep.`,
  ];
  parts.push(table(["image", "what to what", "asked", "found"], ratioLines(results)));
  for (const [name, image] of Object.entries(results.images)) {
    parts.push(`### ${name}: ${image.what}`);
    const rows = rowsOf(image).map(({ tool, cells }) => [`\`${tool}\``].concat(cells));
    parts.push(table(["tool", ...columns], rows));
    const missing = Object.entries(image.missing).map(([tool, why]) => `\`${tool}\`: ${why}`);
    if (missing.length > 0) parts.push(`Left out: ${missing.join("; ")}.`);
  }
  return `${parts.join("\n\n")}\n`;
}
