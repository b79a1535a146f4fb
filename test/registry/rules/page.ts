/**
 * Which line is held by which test, read off the tests themselves: their titles begin with the lines that they hold.
 *
 *   node test/registry/rules/page.ts --write      writes docs/registry-rules.md anew
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rules, type Rule } from "./rules.ts";

const root = join(import.meta.dirname, "..", "..", "..");

export const pagePath = join(root, "docs", "registry-rules.md");

export interface TitledTest {
  /** Below `test/`, without `.test.ts`. */
  readonly file: string;
  readonly title: string;
  readonly ids: readonly string[];
}

/** A title stands first in a call of test(), or as the key or first member of what a loop makes tests of. */
const titlePattern = /(?:\btest\(\s*|^\s*|\[)["`]((?:[RH]\d\d(?:, )?)+ [^"`\n]+)["`]\s*[,:]/gm;

export function titledTests(source: string, file: string): readonly TitledTest[] {
  return [...source.matchAll(titlePattern)].map(([, title = ""]) => {
    return { file, title, ids: title.match(/^(?:[RH]\d\d(?:, )?)+/)?.[0].match(/[RH]\d\d/g) ?? [] };
  });
}

/** The sources that tests with such titles are in, by their paths below `test/`. */
export function testSources(): ReadonlyMap<string, string> {
  const cwd = join(root, "test");
  const files = globSync(["{registry,blobs,oci}/*.test.ts", "registry/conformance/*.ts"], { cwd }).toSorted();
  return new Map(files.map((path) => [path, readFileSync(join(cwd, path), "utf8")]));
}

export function allTitledTests(): readonly TitledTest[] {
  return [...testSources()].flatMap(([path, source]) =>
    titledTests(source, path.replace(/(?:\.test)?\.ts$/, "")),
  );
}

export function renderPage(tests: readonly TitledTest[]): string {
  const row = ({ id, outcome, text, from }: Rule): string => {
    const held = tests.filter(({ ids }) => ids.includes(id));
    const cells = [id, outcome, text, held.map(renderTest).join("<br>"), from];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  };
  return [
    "# How banger behaves towards registries",
    "",
    "What other clients' test suites and reports ask of one, and the tests here that hold it, by file below `test/`.",
    "The page is made from the tests' titles by `node test/registry/rules/page.ts --write`; a test compares the two.",
    "",
    "| | | behaviour | held by | seen in |",
    "|---|---|---|---|---|",
    ...rules.map(row),
    "",
  ].join("\n");
}

function renderTest({ file, title }: TitledTest): string {
  const words = title.replace(/^(?:[RH]\d\d(?:, )?)+ /, "").replaceAll(/\$\{[^}]*\}/g, "…");
  return `\`${file}\`: ${words.replaceAll("<", "&lt;")}`;
}

if (process.argv[1] === import.meta.filename && process.argv[2] === "--write") {
  writeFileSync(pagePath, renderPage(allTitledTests()));
}
