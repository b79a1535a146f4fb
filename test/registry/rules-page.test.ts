import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { allTitledTests, pagePath, renderPage, testSources, titledTests } from "./rules/page.ts";
import { rules } from "./rules/rules.ts";

test("every line is held by a test, and no test claims a line that is none", () => {
  const held = new Set(allTitledTests().flatMap(({ ids }) => ids));
  const known = new Set(rules.map(({ id }) => id));
  assert.deepEqual(
    rules.map(({ id }) => id).filter((id) => !held.has(id)),
    [],
  );
  assert.deepEqual(
    [...held].filter((id) => !known.has(id)),
    [],
  );
  assert.equal(known.size, 63);
});

test("no test that holds a line is left out of the runs", () => {
  const leftOut = /\btest\.(?:skip|todo)\b|\b(?:skip|todo): (?:true|["'`])/;
  for (const [path, source] of testSources()) {
    if (path !== "registry/rules-page.test.ts") assert.doesNotMatch(source, leftOut, path);
  }
  assert.match("test.skip(", leftOut);
});

test("the page says what the tests say", () => {
  assert.equal(readFileSync(pagePath, "utf8"), renderPage(allTitledTests()));
});

test("titles are found where tests are made of them, and nowhere else", () => {
  const source = [
    'test("R01 one", () => {});',
    "  test(`R02, H03 two ${name}`, () => {});",
    '  "R04 four": [',
    '  ["R05 five", 1],',
    '// test of "R06 six"',
    'const text = "R07 seven";',
  ];
  const found = titledTests(source.join("\n"), "x").map(({ ids }) => ids.join());
  assert.deepEqual(found, ["R01", "R02,H03", "R04", "R05"]);
});
