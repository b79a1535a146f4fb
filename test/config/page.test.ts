import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { sections } from "../../src/config/schema.ts";
import { limitComments, pagePath, renderPage } from "./page.ts";

test("docs/config.md is what the table says; if not, run `node test/config/page.ts --write`", () => {
  assert.equal(readFileSync(pagePath, "utf8"), renderPage());
});

test("the page says something of each key", () => {
  const comments = limitComments();
  for (const { name, fields, says } of sections) {
    assert.match(says, /\.$/, name);
    for (const field of fields)
      assert.match(comments.get(field.key) || field.says, /\.$/, `${name}.${field.key}`);
  }
});
