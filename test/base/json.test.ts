import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { parseJson, type JsonNode } from "../../src/base/json.ts";

const context = { reason: "MANIFEST_INVALID", op: "test", subject: "the thing" } as const;

function parse(text: string | Uint8Array): JsonNode {
  return parseJson(typeof text === "string" ? Buffer.from(text) : text, context);
}

function refused(text: string | Uint8Array, message: RegExp): void {
  assert.throws(
    () => parse(text),
    (error: unknown) => hasReason(error, "MANIFEST_INVALID") && message.test(error.message),
    String(text),
  );
}

test("what is not one JSON document in UTF-8 is refused", () => {
  for (const text of ["", "{", "{}{}", "{} x", "[1,]", "{'a':1}", "NaN", "\ufeff{}", '{"a":1}\0']) {
    refused(text, /^the thing is not JSON$/);
  }
  for (const bytes of [[0xff], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]]) {
    refused(Uint8Array.from(bytes), /^the thing is not UTF-8$/);
  }
});

test("a key that comes twice is refused, however it is written", () => {
  refused('{"a":1,"a":1}', /has the key "a" twice/);
  refused('{"a":1,"\\u0061":2}', /has the key "a" twice/);
  refused('{"x":[{"b":{}, "c":"b", "b" :1}]}', /has the key "b" twice/);
  refused('{"__proto__":1,"__proto__":2}', /twice/);
  refused('{"":1,"":2}', /twice/);
  for (const fine of ['{"a":{"a":1},"b":["a","a"]}', '[{"a":1},{"a":1}]', '{"a":"\\"b\\":","b":"\\\\"}'])
    parse(fine);
});

test("a document nested too deep is refused", () => {
  parse("[".repeat(64) + "]".repeat(64));
  refused("[".repeat(65) + "]".repeat(65), /nested deeper/);
  refused("[".repeat(100_000) + "]".repeat(100_000), /nested deeper/);
  parse(JSON.stringify("[".repeat(100)));
});

test("fuzz: accepted exactly where JSON.parse does, but for duplicates", () => {
  const values = fc.jsonValue({ maxDepth: 5 });
  fc.assert(
    fc.property(values, fc.constantFrom(0, 2), (value, indent) => {
      // JSON.stringify can't write a duplicate, so all of it must pass.
      parse(JSON.stringify(value, null, indent));
    }),
  );
  const soup = fc.string({
    unit: fc.constantFrom("{", "}", "[", "]", '"', ":", ",", "a", "1", "\\", " ", "u0061"),
  });
  fc.assert(
    fc.property(soup, (text) => {
      const plain = accepts(() => void JSON.parse(text));
      const strict = accepts(() => void parse(text));
      assert.ok(plain || !strict, text);
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void accepts(() => void parse(bytes))));
});

test("fuzz: an object written with one of its keys twice is refused", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (object, pick) => {
      const members = Object.entries(object).map(
        ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
      );
      members.push(members[pick % members.length] ?? "");
      assert.equal(
        accepts(() => void parse(`{${members.join(" ,")}}`)),
        false,
      );
    }),
  );
});

function accepts(parse: () => void): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    assert.ok(error instanceof BangerError || error instanceof SyntaxError, String(error));
    return false;
  }
}

test("accessors give types, and errors that say where", () => {
  const node = parse(
    '{"a":{"b":[1,"x",null]},"n":7,"t":"s","f":false,"m":{"k":"v","z":null},"__proto__":"p"}',
  );
  assert.equal(node.at("n").natural(), 7);
  assert.equal(node.at("t").text(), "s");
  assert.equal(node.at("f").optionalFlag(), false);
  assert.equal(node.at("gone").at("deeper").optionalText(), undefined);
  assert.equal(node.at("toString").present, false, "nothing is inherited");
  assert.equal(node.at("__proto__").text(), "p");
  assert.deepEqual(node.at("m").textMap(), { k: "v", z: "" });
  assert.deepEqual(node.at("gone").list(), []);
  const where = (read: () => unknown, message: string): void => {
    assert.throws(read, (error: unknown) => {
      assert.ok(hasReason(error, "MANIFEST_INVALID"));
      assert.equal(error.message, message);
      return true;
    });
  };
  where(() => node.at("a").at("b").texts(), "the thing: a.b[0] is not a string");
  where(() => node.at("a").at("b").list()[2]?.text(), "the thing: a.b[2] is missing");
  where(() => node.at("t").natural(), "the thing: t is not a whole number from 0 to 2^53 - 1");
  where(() => node.at("t").at("x"), "the thing: t is not an object");
  where(() => node.at("a").list(), "the thing: a is not an array");
  where(() => node.at("gone").text(), "the thing: gone is missing");
  for (const number of ["-1", "1.5", "9007199254740992", "1e400"]) {
    assert.throws(() => parse(number).natural(), BangerError, number);
  }
});

test("lone surrogates are replaced, and keys of the document can't send escapes to a terminal", () => {
  assert.equal(parse('"\\ud800"').text(), "\ufffd");
  assert.throws(
    () => parse('{"\\u001b[31m": 1}').textMap(),
    (error: unknown) => error instanceof BangerError && !error.message.includes("\u001b"),
  );
});
