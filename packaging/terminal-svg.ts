import { Screen, type Cell } from "../test/system/screen.ts";

/** What a terminal was sent while a command ran in it. */
export interface Recording {
  readonly command: string;
  readonly columns: number;
  readonly rows: number;
  /** Frame by frame, as it came. */
  readonly output: readonly string[];
}

type CellLine = readonly Cell[];

const cellWidth = 8.4;
const lineHeight = 19;
const margin = 20;
const barHeight = 34;

/** By SGR parameter; each colour for light and for dark. */
const classes: Readonly<Record<string, string>> = {
  "1": "b",
  "2": "d",
  "31": "r",
  "32": "g",
  "33": "y",
  "36": "c",
};
const style = `
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:#24292f}
.w{fill:#fff;stroke:#d0d7de}.l{stroke:#d0d7de;stroke-dasharray:2 4}.o{fill:#d0d7de}
.b{font-weight:bold}.d{fill:#6e7781}.r{fill:#cf222e}.g{fill:#1a7f37}.y{fill:#9a6700}.c{fill:#1b7c83}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.w{fill:#0d1117;stroke:#30363d}.l{stroke:#30363d}.o{fill:#30363d}
.d{fill:#8b949e}.r{fill:#ff7b72}.g{fill:#3fb950}.y{fill:#d29922}.c{fill:#39c5cf}}
`.trim();

/**
 * A recorded pull as a still picture: the middle of its live view above, what it left on the terminal below. The same
 * recording always makes the same bytes.
 */
export function pictureOf({ command, columns, rows, output }: Recording): string {
  const screen = new Screen(columns, rows);
  const live: (readonly CellLine[])[] = [];
  screen.onFrame = () => {
    // A layer on its way is what a middle looks like.
    if (!screen.cursorShown && screen.lines.some((line) => /━─/.test(line))) {
      live.push(screen.cells.map((line) => [...line]));
    }
  };
  for (const piece of output) screen.write(piece);
  const middle = live[Math.floor(live.length / 2)];
  if (middle === undefined) throw new Error("nothing of the recording shows a layer on its way");
  const prompt = Array.from(`$ ${command}`, (text, at) => ({ text, style: at === 0 ? "32" : "1" }));
  return svgOf([[prompt, ...trimmed(middle)], trimmed(screen.cells)], columns);
}

/** Without the empty lines at the end. */
function trimmed(lines: readonly CellLine[]): readonly CellLine[] {
  return lines.slice(0, lines.findLastIndex((line) => line.some(({ text }) => text.trim() !== "")) + 1);
}

function svgOf(parts: readonly (readonly CellLine[])[], columns: number): string {
  const width = Math.ceil(columns * cellWidth + 2 * margin);
  const body: string[] = [];
  let y = barHeight + margin;
  for (const [at, lines] of parts.entries()) {
    if (at > 0) {
      body.push(`<path class="l" d="M${margin} ${y - 8}H${width - margin}"/>`);
      y += lineHeight;
    }
    for (const line of lines) {
      body.push(...lineTexts(line, y));
      y += lineHeight;
    }
  }
  const height = y + margin / 2;
  const dots = [0, 1, 2].map((at) => `<circle class="o" cx="${margin + 6 + at * 18}" cy="20" r="6"/>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A pull in a terminal: layers on their way above, the summary at its end below">`,
    `<style>${style}</style>`,
    `<rect class="w" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...dots,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

/** Words of one look, each as wide as its cells whatever the font; wider gaps are not text, which could lose them. */
function lineTexts(line: CellLine, y: number): readonly string[] {
  const runs: { column: number; text: string; style: string }[] = [];
  for (const [column, cell] of line.entries()) {
    const last = runs.at(-1);
    if (last?.style === cell.style) last.text += cell.text;
    else runs.push({ column, text: cell.text, style: cell.style });
  }
  return runs.flatMap(({ column, text, style: look }) =>
    Array.from(text.matchAll(/\S+(?: \S+)*/g), (words) => textAt(column + words.index, y, words[0], look)),
  );
}

function textAt(column: number, y: number, text: string, look: string): string {
  const names = look.split(";").flatMap((parameter) => classes[parameter] ?? []);
  const kind = names.length === 0 ? "" : ` class="${names.join(" ")}"`;
  const place = `x="${rounded(margin + column * cellWidth)}" y="${y}"`;
  const length = `textLength="${rounded(text.length * cellWidth)}" lengthAdjust="spacingAndGlyphs"`;
  return `<text${kind} ${place} ${length}>${escaped(text)}</text>`;
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
