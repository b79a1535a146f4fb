import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  byteString,
  bytesToBuffer,
  fromPrintable,
  printable,
  splitPath,
  utf8Bytes,
} from "../../src/base/bytes.ts";
import { safeText } from "../../src/client/render/text.ts";

const cases: readonly (readonly [string, Buffer, string])[] = [
  ["plain", Buffer.from("usr/bin"), "usr/bin"],
  ["UTF-8", Buffer.from("Grüße/文件"), "Grüße/文件"],
  ["not UTF-8", Buffer.from([0x61, 0xff, 0xfe]), "a\\xff\\xfe"],
  ["newline", Buffer.from("a\nb"), "a\\x0ab"],
  ["terminal escape", Buffer.from("\u001b[2J"), "\\x1b[2J"],
  ["C1 control, valid UTF-8", Buffer.from("a\u009bb"), "a\\xc2\\x9bb"],
  ["right-to-left override", Buffer.from("a\u202eb"), "a\\xe2\\x80\\xaeb"],
  ["backslash", Buffer.from("a\\x0a"), "a\\\\x0a"],
  ["byte order mark", Buffer.from("\ufeffa"), "\\xef\\xbb\\xbfa"],
  ["Arabic letter mark", Buffer.from("a\u061cb"), "a\\xd8\\x9cb"],
  ["zero-width space", Buffer.from("a\u200bb"), "a\\xe2\\x80\\x8bb"],
  ["joined emoji", Buffer.from("👨‍👩‍👧"), "👨‍👩‍👧"],
  ["empty", Buffer.alloc(0), ""],
];
for (const [name, bytes, text] of cases) {
  test(`printable: ${name}`, () => assert.equal(printable(byteString(bytes)), text));
}

test("bytes survive the round trip, whatever they are", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(bytesToBuffer(byteString(Buffer.from(bytes))), Buffer.from(bytes));
    }),
  );
});

test("distinct bytes are shown as distinct text, with no control character", () => {
  const bytes = fc.uint8Array({ maxLength: 6 }).map((array) => byteString(Buffer.from(array)));
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(printable(a) === printable(b), a === b);
      assert.doesNotMatch(printable(a), /\p{Cc}/u);
    }),
  );
});

test("what is shown can be typed back", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (array) => {
      const bytes = byteString(Buffer.from(array));
      assert.equal(fromPrintable(printable(bytes)), bytes);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      const text = printable(utf8Bytes(name));
      assert.equal(safeText(text), text, "a terminal gets it unchanged");
    }),
  );
  assert.equal(fromPrintable("a\\q\\x9"), utf8Bytes("a\\q\\x9"), "no escape of ours");
});

test("a path is split at slashes only", () => {
  assert.deepEqual(splitPath(utf8Bytes("/a//b")), ["", "a", "", "b"]);
});
