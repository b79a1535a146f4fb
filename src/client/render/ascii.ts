import { graphemes } from "./text.ts";

/** What is drawn on a terminal of another character set, each as wide as what it stands for. */
const stands: Readonly<Record<string, string>> = {
  "━": "=",
  "╸": "-",
  "─": ".",
  "✓": "+",
  "✗": "x",
  "→": ">",
  "·": "-",
  "…": "~",
  "×": "x",
  "⠋": "|",
  "⠙": "/",
  "⠹": "-",
  "⠸": "\\",
  "⠼": "|",
  "⠴": "/",
  "⠦": "-",
  "⠧": "\\",
  "⠇": "|",
  "⠏": "/",
};

/** The same text in ASCII, as wide as it was. */
export function asciiText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- all of ASCII is what it is for
  if (/^[\u0000-\u007f]*$/.test(text)) return text;
  return graphemes(text)
    .map(({ segment, columns }) =>
      segment.length === 1 && segment < "\u0080" ? segment : (stands[segment] ?? "?".repeat(columns)),
    )
    .join("");
}
