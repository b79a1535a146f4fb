import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseChallenges } from "../../src/registry/challenge.ts";

type Expected = readonly (readonly [scheme: string, parameters: Readonly<Record<string, string>>])[];

const table: readonly (readonly [name: string, headers: readonly string[], expected: Expected])[] = [
  ["nothing", [""], []],
  ["no header", [], []],
  [
    "the usual",
    ['Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"'],
    [["bearer", { realm: "https://a/t", service: "s", scope: "repository:x:pull,push" }]],
  ],
  ["a bare scheme", ["Negotiate"], [["negotiate", {}]]],
  [
    "token68",
    ["Negotiate dGVzdA==, Basic realm=x"],
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  [
    "two in one header",
    ['Bearer realm="r",service="s", Basic realm="b"'],
    [
      ["bearer", { realm: "r", service: "s" }],
      ["basic", { realm: "b" }],
    ],
  ],
  [
    "two headers",
    ["Negotiate", "bEARER realm=r"],
    [
      ["negotiate", {}],
      ["bearer", { realm: "r" }],
    ],
  ],
  ["escapes", ['Basic realm="a\\"b\\\\c"'], [["basic", { realm: 'a"b\\c' }]]],
  [
    "a comma and a scheme in quotes",
    ['Basic realm="x, Bearer realm=y"'],
    [["basic", { realm: "x, Bearer realm=y" }]],
  ],
  [
    "unquoted URL",
    ["Bearer realm=https://a/t,service=s"],
    [["bearer", { realm: "https://a/t", service: "s" }]],
  ],
  ["an empty value", ['Bearer realm="",error='], [["bearer", { realm: "", error: "" }]]],
  ["white space", ['Bearer realm = "r" ,\tservice =s'], [["bearer", { realm: "r", service: "s" }]]],
  ["stray commas", [',, Bearer ,realm="r",,service=s,'], [["bearer", { realm: "r", service: "s" }]]],
  ["names in any case", ['Bearer REALM="r"'], [["bearer", { realm: "r" }]]],
  ["the first of two counts", ['Bearer realm="a",realm="b"'], [["bearer", { realm: "a" }]]],
  ["nonsense after sense", ['Bearer realm="r" @@@ "'], [["bearer", { realm: "r" }]]],
  ["nonsense alone", ['"""'], []],
];

for (const [name, headers, expected] of table) {
  test(`R08 challenge: ${name}`, () => {
    const found = parseChallenges(headers).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
    assert.deepEqual(found, expected);
  });
}

test("any header ends, and a well-formed one comes back as it was written", () => {
  fc.assert(fc.property(fc.string(), (header) => void parseChallenges([header])));
  const text = fc.string({ unit: fc.constantFrom("a", "\\", '"', ",", " ", "=") });
  fc.assert(
    fc.property(text, text, (realm, service) => {
      const quote = (value: string): string => `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
      const [first] = parseChallenges([`Bearer realm=${quote(realm)}, service=${quote(service)}`]);
      assert.deepEqual([first?.parameters.get("realm"), first?.parameters.get("service")], [realm, service]);
    }),
  );
});
