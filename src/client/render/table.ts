import { displayWidth, padEnd, padStart, safeText, truncate, truncateStart, wrapWords } from "./text.ts";

/** A column by its heading, or with how it gives way on a terminal that is too narrow for all. */
export type Column =
  | string
  | {
      readonly heading: string;
      /** For numbers, whose units then stand below each other. */
      readonly align?: "right";
      /** The end at which cells are cut; elsewhere they stay whole. */
      readonly cut?: "start" | "end";
      /** Left out where cutting is not enough, the last such column first. */
      readonly optional?: true;
    };

/** A column of numbers. */
export const right = (heading: string): Column => ({ heading, align: "right" });

interface Laid {
  readonly column: Exclude<Column, string>;
  readonly cells: readonly string[];
  readonly natural: number;
}

/** A cell that was cut shorter would tell nothing. */
const leastWidth = 8;
const between = "  ";

/**
 * Rows under their headings. Cells are made safe here.
 *
 * @param width columns of the terminal, which no line exceeds; undefined for as wide as it gets
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width?: number,
): string[] {
  const laid = columns.map((given, at): Laid => {
    const column = typeof given === "string" ? { heading: given } : given;
    const cells = [column.heading, ...rows.map((row) => safeText(row[at] ?? ""))];
    return { column, cells, natural: cells.reduce((most, cell) => Math.max(most, displayWidth(cell)), 0) };
  });
  const { shown, widths } = fit(laid, width);
  return Array.from({ length: rows.length + 1 }, (_, row) => {
    const cells = shown.map(({ column, cells: all }, at) =>
      cellText(column, all[row] ?? "", widths[at] ?? 0),
    );
    const line = cells.join(between).trimEnd();
    return width === undefined ? line : truncate(line, width);
  });
}

/** Which columns there is room for, and how wide each is. */
function fit(
  laid: readonly Laid[],
  width: number | undefined,
): { readonly shown: readonly Laid[]; readonly widths: readonly number[] } {
  const widths = laid.map(({ natural }) => natural);
  if (width === undefined) return { shown: laid, widths };
  const over = (): number => widths.reduce((sum, one) => sum + one + between.length, -between.length) - width;
  while (over() > 0) {
    const widest = laid.reduce<number | undefined>((best, { column }, at) => {
      const least = Math.max(leastWidth, displayWidth(column.heading));
      const own = widths[at] ?? 0;
      if (column.cut === undefined || own <= least) return best;
      return best === undefined || own > (widths[best] ?? 0) ? at : best;
    }, undefined);
    if (widest !== undefined) {
      widths[widest] = (widths[widest] ?? 0) - 1;
      continue;
    }
    const last = laid.findLastIndex(({ column }) => column.optional === true);
    if (last === -1) break;
    return fit(laid.toSpliced(last, 1), width);
  }
  return { shown: laid, widths };
}

function cellText({ align, cut }: Exclude<Column, string>, cell: string, width: number): string {
  const text = cut === "start" ? truncateStart(cell, width) : truncate(cell, width);
  return align === "right" ? padStart(text, width) : padEnd(text, width);
}

/**
 * `label   value` lines, those without a value left out. Values are made safe here. What is too long for the terminal
 * goes on below, or stands below its label where a word of it needs that; only a longer word still is wider.
 */
export function facts(
  rows: readonly (readonly [label: string, value: string])[],
  width = Number.POSITIVE_INFINITY,
): string[] {
  const told = rows.filter(([, value]) => value !== "");
  const labels = told.reduce((widest, [label]) => Math.max(widest, displayWidth(label)), 0);
  return told.flatMap(([label, value]) => {
    const text = safeText(value);
    const beside = wrapWords(text, Math.max(1, width - labels - between.length));
    if (beside.every((line) => labels + between.length + displayWidth(line) <= width)) {
      return beside.map((line, at) => `${padEnd(at === 0 ? label : "", labels)}${between}${line}`);
    }
    const below = wrapWords(text, Math.max(1, width - between.length));
    return [label].concat(below.map((line) => between + line));
  });
}
