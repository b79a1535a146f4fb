import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** What readers are sent to, relative to the checkout. */
export function docPages(): readonly string[] {
  return ["README.md", ...globSync("docs/*.md", { cwd: root }).sort()];
}

export function readPage(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

/** What stands in the page's fences of that language, in order. */
export function fencesOf(page: string, language: string): readonly string[] {
  return [...page.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] ?? "");
}
