import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { BangerError, eachOf } from "../../src/base/error.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { sections } from "../../src/config/schema.ts";

/** Every setting, with a value that it takes. */
const values = ["/a/b", "ghcr.io", "http://h", "0600", "1MiB", "1h", 11, ["/a"], "direct", "info", "text"];
const seed = sections
  .map(({ name, many, fields }) => {
    const lines = fields.map(({ key, read }) => {
      const value = values.find((candidate) => read(candidate) !== undefined);
      // One key alone makes no sense without another, or rules another out.
      return key === "low_water" || key === "accept" ? "" : `${key} = ${JSON.stringify(value)}`;
    });
    return [many ? `[[${name}]]` : `[${name}]`, ...lines].join("\n");
  })
  .join("\n");

const pieces = [
  "[",
  "]",
  "[[",
  "]]",
  "{",
  "}",
  '"',
  "'",
  '"""',
  "'''",
  "=",
  ".",
  ",",
  "#",
  "\n",
  "\r\n",
  "\\",
  "1",
  "-",
  "x",
];

/** The seed with some of it cut out, doubled, or replaced by what means something in TOML. */
const mutated = fc
  .array(
    fc.record({
      at: fc.nat(seed.length),
      cut: fc.oneof(fc.constant(0), fc.nat(2), fc.nat(40)),
      put: fc.oneof(
        fc.constantFrom("", " ", "#", "9"),
        fc.constantFrom(...pieces),
        fc.string({ maxLength: 4 }),
        fc.constant(seed.slice(0, 60)),
      ),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((edits) => {
    let text = seed;
    for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut);
    return text;
  });

test("whatever a file holds, it is settings or an error that names a place in it", () => {
  parseConfig(seed, "/c.toml");
  let [taken, refused] = [0, 0];
  fc.assert(
    fc.property(mutated, (text) => {
      try {
        parseConfig(text, "/c.toml");
        taken++;
      } catch (error) {
        assert.ok(error instanceof BangerError && error.reason === "CONFIG_INVALID", String(error));
        const each = eachOf(error);
        const lines = text.split("\n");
        for (const { message } of each) {
          // Of more than are told, only how many there are.
          if (/^\/c\.toml: \d+ more mistakes$/.test(message)) continue;
          const [, line, column] = /^\/c\.toml:(\d+):(\d+): /.exec(message) ?? assert.fail(message);
          assert.ok(Number(line) >= 1 && Number(line) <= lines.length, message);
          const length = (lines[Number(line) - 1] ?? "").length;
          assert.ok(Number(column) >= 1 && Number(column) <= length + 1, message);
          assert.doesNotMatch(message, /[^ -~]/);
        }
        refused++;
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(taken > 20 && refused > 200, `${taken} were taken, ${refused} refused`);
});
