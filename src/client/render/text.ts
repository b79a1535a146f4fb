import { safeText } from "../../base/safe-text.ts";

export { safeLines, safeText } from "../../base/safe-text.ts";

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Drawn over two columns by terminals: East Asian wide and full-width blocks (Unicode TR 11), and emoji. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const invisible = /^[\p{Mark}\p{Format}]+$/u;

/** Columns that one grapheme takes on a terminal. */
function columnsOf(grapheme: string): number {
  if (wide.test(grapheme)) return 2;
  return invisible.test(grapheme) ? 0 : 1;
}

/** What a person takes for one character each, with the columns it takes on a terminal. */
export function graphemes(text: string): { readonly segment: string; readonly columns: number }[] {
  return Array.from(segmenter.segment(text), ({ segment }) => ({ segment, columns: columnsOf(segment) }));
}

/** Columns that safe text takes on a terminal. */
export function displayWidth(text: string): number {
  // As nearly all text is: telling graphemes apart takes a hundred times as long, and tables may have a million cells.
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of segmenter.segment(text)) columns += columnsOf(segment);
  return columns;
}

/** At most `columns` columns of the text; where something is cut off, the last of them is `…`. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns <= 0) return "";
  let out = "";
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += columnsOf(segment);
    if (used > columns - 1) break;
    out += segment;
  }
  return `${out}…`;
}

/** The same, but the end is what stays, and the first column is `…`: the end of a path tells more. */
export function truncateStart(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns <= 0) return "";
  const segments = [...segmenter.segment(text)].map(({ segment }) => segment);
  let start = segments.length;
  for (let used = 0; start > 0; start--) {
    used += columnsOf(segments[start - 1] ?? "");
    if (used > columns - 1) break;
  }
  return `…${segments.slice(start).join("")}`;
}

/** The text with spaces after it, up to `columns`. */
export function padEnd(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - displayWidth(text)));
}

/** The text with spaces before it, up to `columns`. */
export function padStart(text: string, columns: number): string {
  return " ".repeat(Math.max(0, columns - displayWidth(text))) + text;
}

/** Lines of whole words, no wider than `columns` unless one word is. */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of text.split(" ")) {
    const longer = line === undefined ? word : `${line} ${word}`;
    if (line !== undefined && line !== "" && displayWidth(longer) > columns) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line ?? ""];
}

/** Made safe, and in lines of whole words, all but the first further in. */
export function hanging(text: string, columns = Number.POSITIVE_INFINITY): string[] {
  const indent = 4;
  return wrapWords(safeText(text), Math.max(1, columns - indent)).map((line, at) =>
    at === 0 ? line : " ".repeat(indent) + line,
  );
}
