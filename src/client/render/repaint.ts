import { displayWidth } from "./text.ts";

/** Lines as they stand on a terminal, the cursor below the last, and how wide it was when they were drawn. */
export interface Painted {
  /** With the sequences that colour them. */
  readonly lines: readonly string[];
  readonly width: number;
}

/** DEC private modes: synchronized update, so that no half frame is seen, and no wrapping, whatever a line is. */
const begin = "\u001b[?2026h\u001b[?7l";
const end = "\u001b[?7h\u001b[?2026l";
const eraseBelow = "\u001b[J";
const eraseRight = "\u001b[K";

export const hideCursor = "\u001b[?25l";
export const showCursor = "\u001b[?25h";

/** What to write so that `after` takes the place of `before`; nothing where they are the same. Pure. */
export function repaint(before: Painted, after: Painted): string {
  const up = rowsOf(before, after.width);
  const toTop = up === 0 ? "\r" : `\r\u001b[${up}A`;
  if (before.width !== after.width || before.lines.length > after.lines.length) {
    const lines = after.lines.map((line) => `${eraseRight}${line}\r\n`).join("");
    return `${begin}${toTop}${lines}${after.lines.length > 0 ? eraseBelow : eraseAll(up)}${end}`;
  }
  if (after.lines.every((line, at) => line === before.lines[at])) return "";
  const lines = after.lines.map((line, at) =>
    line === before.lines[at] ? "\r\n" : `${line}${eraseAfter(line, after.width)}\r\n`,
  );
  return `${begin}${toTop}${lines.join("")}${end}`;
}

/** Behind a line that fills its row the cursor stands on its last character, which would be erased (ECMA-48, EL). */
function eraseAfter(line: string, width: number): string {
  return displayWidth(uncoloured(line)) < width ? eraseRight : "";
}

/**
 * Leaves nothing of so many rows. Not by one sequence: where they begin at the top of the screen, tmux takes that for
 * the clearing of a screen, and keeps a copy in its history (`scroll-on-clear`).
 */
function eraseAll(rows: number): string {
  return rows === 0 ? "" : `${eraseRight}\r\n${eraseBelow}\u001b[1A`;
}

/**
 * Rows that lines take now: a terminal that was made narrower has broken those that are too long for it, as nearly all
 * do. One that cuts them off instead loses as many lines of what stood above.
 */
function rowsOf({ lines, width }: Painted, now: number): number {
  if (now >= width) return lines.length;
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(displayWidth(uncoloured(line)) / now)), 0);
}

function uncoloured(line: string): string {
  // oxlint-disable-next-line no-control-regex -- colours are control sequences
  return line.replace(/\u001b\[[0-9;]*m/g, "");
}
