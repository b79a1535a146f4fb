import { displayWidth, truncate } from "./text.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** A stretch of safe text with one look. Lines are made of spans, so that widths are counted before colours. */
export interface Span {
  readonly text: string;
  readonly style?: Style;
}

export type Line = readonly Span[];

/** SGR parameters: on, and what takes exactly that back. */
const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export function paint(span: Span, colour: boolean): string {
  if (!colour || span.style === undefined || span.text === "") return span.text;
  const [on, off] = codes[span.style];
  return `\u001b[${on}m${span.text}\u001b[${off}m`;
}

/** The line, cut to `width` columns, so that it never wraps. */
export function drawLine(line: Line, width: number, colour: boolean): string {
  let left = width;
  let out = "";
  for (const span of line) {
    if (left <= 0) break;
    const text = truncate(span.text, left);
    left -= displayWidth(text);
    out += paint(text === span.text ? span : { ...span, text }, colour);
    if (text !== span.text) break;
  }
  return out;
}

export function lineWidth(line: Line): number {
  return line.reduce((columns, span) => columns + displayWidth(span.text), 0);
}

/**
 * Whether a stream gets colours: a terminal that is not dumb, NO_COLOR unset (no-color.org), FORCE_COLOR
 * as people know it from other programs.
 */
export function wantsColour(isTty: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  return isTty && env["TERM"] !== "dumb";
}
