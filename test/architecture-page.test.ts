import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { stages } from "../src/pull/events.ts";
import { diagrams, directImports, renderPage, type Arrow } from "./architecture-page.ts";
import { docPages, readPage } from "./system/doc-pages.ts";
import { mayImport, realImports } from "./system/import-rules.ts";

const root = join(import.meta.dirname, "..");
const page = readPage("docs/architecture.md");

function shown(arrows: readonly Arrow[]): readonly string[] {
  return arrows.map(({ from, to }) => `${from} --> ${to}`).toSorted();
}

test("the table is what the imports say; if not, run `node test/architecture-page.ts --write`", () => {
  assert.equal(page, renderPage());
});

test("the arrows between the folders are those of the imports", () => {
  const [, folders = []] = diagrams();
  assert.deepEqual(shown(folders), shown(directImports()));
  const real = realImports();
  for (const { from, to } of folders) assert.ok(real.get(from)?.has(to), `${from} imports ${to}`);
});

test("the list of folders has each once, and none above what it imports", () => {
  const listed = [...page.matchAll(/^([a-z0-9]+) {2,}\S.*$/gm)].map((match) => match[1] ?? "");
  assert.deepEqual(listed.toSorted(), Object.keys(mayImport).toSorted());
  for (const [folder, targets] of Object.entries(mayImport))
    for (const target of targets.filter((one) => one !== "gen"))
      assert.ok(listed.indexOf(folder) < listed.indexOf(target), `${folder} stands above ${target}`);
});

test("the road has every stage, in the diagram and in the table, and leads from reference to image", () => {
  const [road = []] = diagrams();
  const nodes = new Set(road.flatMap(({ from, to }) => [from, to]));
  assert.deepEqual([...nodes].toSorted(), ["image", "ref", ...stages].toSorted());
  const rows = [...page.matchAll(/^\| ([a-z-]+) \| .* \| `src\//gm)].map((match) => match[1] ?? "");
  assert.deepEqual(rows.toSorted(), [...stages].toSorted());
  // Everybody is reached from the reference, and reaches the image.
  for (const [start, along] of [
    ["ref", ({ from, to }: Arrow) => [from, to] as const],
    ["image", ({ from, to }: Arrow) => [to, from] as const],
  ] as const) {
    const reached = new Set<string>([start]);
    for (const node of reached) for (const [a, b] of road.map(along)) if (a === node) reached.add(b);
    assert.deepEqual(
      [...nodes].filter((node) => !reached.has(node)),
      [],
    );
  }
});

test("every file that the documentation names is there", () => {
  const named = docPages().flatMap((name) =>
    [...readPage(name).matchAll(/`((?:src|test|guest|packaging|bench|proto)\/[\w./-]*)`/g)].map((match) => ({
      name,
      path: match[1] ?? "",
    })),
  );
  assert.ok(named.length > 10);
  assert.deepEqual(
    named.filter(({ path }) => !existsSync(join(root, path))),
    [],
  );
});

test("the diagrams are read as they are drawn", () => {
  const text =
    "```mermaid\nflowchart LR\n  a([x y]) --> b\n  b -->|two words| c-d --> e[z]\n  a -.->|no| e\n```\n";
  assert.deepEqual(diagrams(text).map(shown), [["a --> b", "a --> e", "b --> c-d", "c-d --> e"]]);
});
