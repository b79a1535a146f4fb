/**
 * The part of docs/architecture.md that follows from the imports, and the arrows that are drawn of them.
 *
 *   node test/architecture-page.ts --write      writes the table anew
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fencesOf, readPage } from "./system/doc-pages.ts";
import { mayImport } from "./system/import-rules.ts";

const page = "docs/architecture.md";
const begin = "<!-- imports: node test/architecture-page.ts --write -->";
const end = "<!-- end of imports -->";

/** The page with the table as it should be. */
export function renderPage(): string {
  const text = readPage(page);
  const [before = "", rest = ""] = text.split(begin);
  const [, after] = rest.split(end);
  if (after === undefined) throw new Error(`${page} has no place for the table`);
  return [before, begin, "\n\n", ...tableLines().map((line) => `${line}\n`), "\n", end, after].join("");
}

function tableLines(): readonly string[] {
  const rows = Object.entries(mayImport).toReversed();
  return [
    "| folder of `src/` | may import |",
    "|---|---|",
    ...rows.map(([folder, targets]) => `| \`${folder}\` | ${targets.map(nameOf).join(", ") || "nothing"} |`),
  ];
}

function nameOf(folder: string): string {
  return folder === "gen" ? "`gen` (made of `proto/`)" : `\`${folder}\``;
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
}

/** The arrows of each mermaid diagram of the page, dotted ones too, whatever is written on them. */
export function diagrams(text: string = readPage(page)): readonly (readonly Arrow[])[] {
  return fencesOf(text, "mermaid").map((diagram) =>
    diagram.split("\n").flatMap((line) => {
      const nodes = line.split(/-\.?->(?:\|[^|]*\|)?/).map((node) => /^[\w-]*/.exec(node.trim())?.[0] ?? "");
      return nodes.slice(1).map((to, index) => ({ from: nodes[index] ?? "", to }));
    }),
  );
}

/** Of the imports that are allowed, those that no other way leads along. */
export function directImports(): readonly Arrow[] {
  const reaches = (from: string, to: string): boolean =>
    (mayImport[from] ?? []).some((next) => next === to || reaches(next, to));
  return Object.entries(mayImport).flatMap(([from, targets]) =>
    targets
      .filter((to) => to !== "gen" && !targets.some((other) => other !== to && reaches(other, to)))
      .map((to) => ({ from, to })),
  );
}

if (process.argv[1] === import.meta.filename && process.argv[2] === "--write") {
  writeFileSync(join(import.meta.dirname, "..", page), renderPage());
}
