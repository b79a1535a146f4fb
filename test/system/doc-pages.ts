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

/** Where the page's links lead, images too; what stands in code is no link. */
export function linksOf(page: string): readonly string[] {
  return [...withoutCode(page).matchAll(/\]\(([^()\s]+)\)/g)].map((match) => match[1] ?? "");
}

/** The page's anchors, as GitHub makes them of its headings. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of page.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/^#{1,6} +(.+)$/gm)) {
    const slug = heading
      .trim()
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    for (let more = 1; anchors.has(anchor); more++) anchor = `${slug}-${more}`;
    anchors.add(anchor);
  }
  return anchors;
}

function withoutCode(page: string): string {
  return page.replaceAll(/^```[\s\S]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "`");
}
