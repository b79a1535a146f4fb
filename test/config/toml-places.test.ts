import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import { TomlPlaces, type TomlPath } from "../../src/config/toml-places.ts";

const text = String.raw`# a = [1]
top = 1 # [not]
"quo\"ted".'lit"eral' = "a ] = \" # ["

[a.b]
	 c.d = { e = 1, f.g = [2, 3] } # }
text = """
[x]
""""
other = '''
y = "''''
z = [ # comment ]
  1,
  [ "]", '[' ],
  { w = 1 },
]
[[many.tables]]
k = 1
[many.tables.under]
n = 1
[[many.tables]]
k = 2
[[many.tables.deep]]
m = 1
`;

const cases: readonly (readonly [TomlPath, number, number])[] = [
  [["top"], 2, 1],
  [['quo"ted'], 3, 1],
  [['quo"ted', 'lit"eral'], 3, 1],
  [["a"], 5, 2],
  [["a", "b"], 5, 2],
  [["a", "b", "c"], 6, 3],
  [["a", "b", "c", "d", "e"], 6, 11],
  [["a", "b", "c", "d", "f", "g"], 6, 18],
  [["a", "b", "c", "d", "f", "g", 1], 6, 28],
  [["a", "b", "text"], 7, 1],
  [["a", "b", "other"], 10, 1],
  [["a", "b", "z"], 12, 1],
  [["a", "b", "z", 0], 13, 3],
  [["a", "b", "z", 1, 1], 14, 10],
  [["a", "b", "z", 2, "w"], 15, 5],
  [["many", "tables", 0], 17, 3],
  [["many", "tables", 0, "k"], 18, 1],
  [["many", "tables", 0, "under", "n"], 20, 1],
  [["many", "tables", 1, "k"], 22, 1],
  [["many", "tables", 1, "deep", 0, "m"], 24, 1],
  // What is not there is where its table is.
  [["many", "tables", 1, "missing"], 21, 3],
  [["a", "b", "missing"], 5, 2],
  [["missing"], 1, 1],
];

describe("where keys stand", () => {
  const places = new TomlPlaces(text);
  for (const [path, line, column] of cases) {
    test(JSON.stringify(path), () => assert.deepEqual(places.of(path), { line, column }));
  }

  test("the text of the cases is TOML", () => assert.equal(parse(text)["top"], 1));

  test("with Windows' line ends too", () => {
    assert.deepEqual(new TomlPlaces("a = 1\r\n[b]\r\nc = 1\r\n").of(["b", "c"]), { line: 3, column: 1 });
  });

  test("of any document: each key is found where its text is", () => {
    const key = fc.string({ unit: "binary", minLength: 1, maxLength: 5 });
    const leaf = fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean());
    const { table } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        leaf,
        fc.array(leaf, { maxLength: 3 }),
        tie("table"),
        tie("tables"),
      ),
      table: fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
      tables: fc.array(fc.dictionary(key, tie("value"), { maxKeys: 3, noNullPrototype: true }), {
        maxLength: 3,
      }),
    }));
    fc.assert(
      fc.property(table, (value) => {
        const written = stringify(value);
        const lines = written.split("\n");
        const found = new TomlPlaces(written);
        for (const path of leavesOf(parse(written))) {
          const { line, column } = found.of(path);
          const at = (lines[line - 1] ?? "").slice(column - 1);
          assert.equal(keyAt(at), path.at(-1), `${JSON.stringify(path)} in ${written}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** The first key of a pair. */
function keyAt(line: string): string | undefined {
  const written = /^(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)/.exec(line)?.[0];
  return written === undefined ? undefined : Object.keys(parse(`${written} = 0`))[0];
}

/** Ways to the values that are no tables, but for those inside of arrays. */
function leavesOf(value: unknown, path: TomlPath = []): readonly TomlPath[] {
  if (typeof value !== "object" || value === null) return [path];
  if (!Array.isArray(value))
    return Object.entries(value).flatMap(([key, member]) => leavesOf(member, [...path, key]));
  const tables =
    value.length > 0 && value.every((member) => typeof member === "object" && !Array.isArray(member));
  return tables ? value.flatMap((member, index) => leavesOf(member, [...path, index])) : [path];
}

const parser = join(import.meta.dirname, "../../src/config/parse.ts");

for (const [name, deep] of Object.entries({
  "a dotted key": `a${".a".repeat(60_000)} = 1`,
  "a header": `[a${".a".repeat(60_000)}]`,
  "arrays in arrays": `a = ${"[".repeat(900)}${"1,".repeat(60_000)}1${"]".repeat(900)}`,
})) {
  test(`${name} of as many parts as a file has room for takes little memory`, () => {
    const script = `
      import { parseConfig } from ${JSON.stringify(parser)};
      import { readFileSync } from "node:fs";
      try { parseConfig(readFileSync(0, "utf8"), "the file"); } catch (error) { console.log(error.message); }`;
    const words = ["--max-old-space-size=100", "--input-type=module", "-e", script];
    const ran = spawnSync(process.execPath, words, { input: deep, encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr.slice(0, 500));
    assert.match(ran.stdout, /^the file:1:\d: a is no setting that is known/);
  });
}
