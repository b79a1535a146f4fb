import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { causes } from "../../src/base/causes.ts";
import { reasons } from "../../src/base/error.ts";
import { hints } from "../../src/base/hints.ts";
import { codesOf, groups, pagePath, renderPage } from "./errors-page.ts";

const root = join(import.meta.dirname, "..", "..");

test("docs/errors.md is what the tables say; if not, run `node test/base/errors-page.ts --write`", () => {
  assert.equal(readFileSync(pagePath, "utf8"), renderPage());
});

test("the page has each reason once, with its cause and its remedy", () => {
  assert.deepEqual(
    groups().flatMap((group) => group.reasons),
    [...reasons],
  );
  const page = readFileSync(pagePath, "utf8");
  for (const reason of reasons) {
    const rows = page.split("\n").filter((line) => line.startsWith(`| \`${reason}\` |`));
    assert.equal(rows.length, 1, reason);
    assert.match(causes[reason], /^[A-Z].+\.$/, reason);
    assert.match(hints[reason], /^[A-Z].+\.$/, reason);
  }
  assert.deepEqual(codesOf("REGISTRY_AUTH"), ["UNAUTHENTICATED", "PERMISSION_DENIED"]);
});

test("no reason is documented that nothing gives", () => {
  const tables = new Set([
    "src/base/error.ts",
    "src/base/hints.ts",
    "src/base/causes.ts",
    "src/service/status.ts",
  ]);
  const given = new Set(
    globSync("src/**/*.ts", { cwd: root })
      .filter((file) => !tables.has(file) && file !== "src/client/exit-code.ts")
      .flatMap((file) => readFileSync(join(root, file), "utf8").match(/"[A-Z0-9]+(?:_[A-Z0-9]+)*"/g) ?? [])
      .map((literal) => literal.slice(1, -1)),
  );
  // System errors become these in base/error.ts itself.
  for (const reason of ["INTERNAL", "FILESYSTEM_ERROR", "PERMISSION_DENIED"]) given.add(reason);
  assert.deepEqual(
    reasons.filter((reason) => !given.has(reason)),
    [],
  );
});
