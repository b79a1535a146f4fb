import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { Field } from "../../src/store/json.ts";

const field = (value: unknown) => Field.fromJson(JSON.stringify(value), "image x config");

describe("a field of the store", () => {
  const wrong: readonly (readonly [read: () => unknown, place: string])[] = [
    [() => Field.fromJson("{", "image x config"), "JSON in image x config"],
    [() => field({}).get("user").string(), "a string in image x config.user"],
    [() => field([]).get("user"), "an object in image x config"],
    [
      () =>
        field({ a: { b: 1 } })
          .get("a")
          .get("b")
          .boolean(),
      "true or false in image x config.a.b",
    ],
    [() => field([0, { n: "1" }]).list((item) => item.get("n").number()), "an object in image x config[0]"],
    [() => field([{ n: "1" }]).list((item) => item.get("n").number()), "a number in image x config[0].n"],
    [
      () =>
        field({ env: ["A=1", 2] })
          .get("env")
          .strings(),
      "a string in image x config.env[1]",
    ],
    [() => field({ env: "A=1" }).get("env").strings(), "a list in image x config.env"],
    [
      () =>
        field({ labels: { a: "b", c: null } })
          .get("labels")
          .stringMap(),
      "a string in image x config.labels.c",
    ],
    [
      () =>
        field({ labels: ["a"] })
          .get("labels")
          .stringMap(),
      "an object in image x config.labels",
    ],
    [() => field("sha256:00").digest(), "a digest in image x config"],
    [() => new Field("x", "image x builder").oneOf(["direct"]), "one of direct in image x builder"],
  ];
  for (const [read, place] of wrong)
    test(`that is not ${place} says so`, () => {
      assert.throws(read, (error) => hasReason(error, "STORE_FAILED") && String(error).endsWith(place));
    });

  test("reads names as JSON has them, also those that objects have of themselves", () => {
    const labels = field(JSON.parse('{"__proto__":"1","toString":"2"}'));
    assert.deepEqual(Object.entries(labels.stringMap()), [
      ["__proto__", "1"],
      ["toString", "2"],
    ]);
    assert.equal(labels.get("__proto__").string(), "1");
    assert.equal(field({}).get("toString").optionalString(), undefined);
    assert.deepEqual(field(["a", ""]).strings(), ["a", ""]);
  });
});
