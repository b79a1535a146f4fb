import { displayWidth, padEnd, safeText } from "./text.ts";

/** Rows under their headings, columns as wide as their widest cell. Cells are made safe here. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [headings, ...rows.map((row) => row.map(safeText))];
  const widths = headings.map((_, column) =>
    cells.reduce((widest, row) => Math.max(widest, displayWidth(row[column] ?? "")), 0),
  );
  return cells.map((row) =>
    row
      .map((cell, column) => padEnd(cell, widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** `label   value` lines, those without a value left out. Values are made safe here. */
export function facts(rows: readonly (readonly [label: string, value: string])[]): string[] {
  const told = rows.filter(([, value]) => value !== "");
  const width = told.reduce((widest, [label]) => Math.max(widest, displayWidth(label)), 0);
  return told.map(([label, value]) => `${padEnd(label, width)}  ${safeText(value)}`);
}
