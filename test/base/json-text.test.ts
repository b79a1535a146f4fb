import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { jsonText } from "../../src/base/json-text.ts";
import { safeText } from "../../src/client/render/text.ts";

test("JSON text moves no cursor and turns no line around", () => {
  const nasty = "\u009b31m\u007f\u202e\u2066\u200b\ufeff\u2028\u001b[31m\n\u061c\u00ad\u{e0041}";
  const text = jsonText({ [nasty]: [nasty] });
  assert.match(text, /^[ -~]+$/);
  assert.deepEqual(JSON.parse(text), { [nasty]: [nasty] });
  assert.equal(jsonText(["é", 1], 2), '[\n  "é",\n  1\n]');
});

test("JSON text parses to what it was made of, and needs no further care on a terminal", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, string) => {
      const text = jsonText([value, string]);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify([value, string])));
      assert.equal(safeText(text), text);
    }),
  );
});
