import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HeldBy } from "./rule.ts";

const testFolder = join(import.meta.dirname, "..", "..");

/** A test's title as it stands in the source, in double quotes or as a template. */
const declared = /\btest\(\s*(?:"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`|(\w+),)/g;

/**
 * Whether the file has a test of that title. Where titles come from a template, the template must give it, and what
 * it puts in must stand in the file as text.
 */
export function hasTest({ file, title }: HeldBy): boolean {
  const source = readSource(file);
  if (source === undefined) return false;
  for (const [, plain, template, name] of source.matchAll(declared)) {
    if (plain !== undefined && unescaped(plain) === title) return true;
    if (template !== undefined && gives(unescaped(template), title, source)) return true;
    if (name !== undefined && source.includes(`"${title}"`)) return true;
  }
  return false;
}

function readSource(file: string): string | undefined {
  try {
    return readFileSync(join(testFolder, `${file}.test.ts`), "utf8");
  } catch {
    return undefined;
  }
}

function gives(template: string, title: string, source: string): boolean {
  const holes = template.split(/\$\{[^}]*\}/);
  if (holes.length === 1) return template === title;
  const pattern = new RegExp(`^${holes.map((text) => RegExp.escape(text)).join("(.+?)")}$`, "s");
  const [, ...filled] = pattern.exec(title) ?? [];
  return filled.length > 0 && filled.every((text) => standsIn(source, text));
}

/** As a string, a key or a number: `"a wrong CRC"`, `nothing: …`, `[-1, 0, 1]`. */
function standsIn(source: string, text: string): boolean {
  if (/^-?\w+$/.test(text) && new RegExp(`[\\s\\[(,{"]${RegExp.escape(text)}[\\],:")]`).test(source))
    return true;
  return ['"', "'", "`"].some((quote) => source.includes(`${quote}${text}${quote}`));
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}
