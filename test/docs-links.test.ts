import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import test from "node:test";
import { anchorsOf, docPages, linksOf, readPage } from "./system/doc-pages.ts";

const root = join(import.meta.dirname, "..");
const pages = [...docPages(), "guest/README.md", "CHANGELOG.md"];

/** What is wrong with the links of a page: those that lead nowhere. */
function brokenLinks(page: string, text: string): readonly string[] {
  return linksOf(text)
    .filter((link) => !/^(?:https?|mailto):/.test(link))
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : normalize(join(dirname(page), path));
      if (target === page) return anchor !== undefined && !anchorsOf(text).has(anchor);
      if (target.startsWith("..") || !existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(readPage(target)).has(anchor);
    })
    .map((link) => `${page}: ${link}`);
}

test("every link inside the documentation leads somewhere", () => {
  assert.ok(linksOf(readPage("README.md")).length > 5, "the links are where this test looks");
  assert.deepEqual(
    pages.flatMap((page) => brokenLinks(page, readPage(page))),
    [],
  );
});

test("every page can be reached from the README", () => {
  const linked = new Set(linksOf(readPage("README.md")).map((link) => link.split("#")[0]));
  assert.deepEqual(
    docPages().filter((page) => page !== "README.md" && !linked.has(page)),
    [],
  );
});

test("the check sees what leads nowhere", () => {
  const text = [
    "# A page, with `code`",
    "## Twice",
    "## Twice",
    "[1](#a-page-with-code) [2](#twice-1) [3](../README.md) `[4](none.md)` [5](https://example.org/#x)",
    "![6](none.svg) [7](#twice-2) [8](../README.md#no-such) [9](../../elsewhere)",
    "```sh",
    "# no-heading",
    "```",
    "[10](#no-heading)",
  ].join("\n");
  assert.deepEqual(brokenLinks("docs/page.md", text), [
    "docs/page.md: none.svg",
    "docs/page.md: #twice-2",
    "docs/page.md: ../README.md#no-such",
    "docs/page.md: ../../elsewhere",
    "docs/page.md: #no-heading",
  ]);
});
