import assert from "node:assert/strict";
import { test } from "node:test";
import {
  displayWidth,
  padEnd,
  padStart,
  safeLines,
  safeText,
  truncate,
} from "../../../src/client/render/text.ts";
import { formatBytes, formatDuration, plural } from "../../../src/client/render/units.ts";
import { drawLine, wantsColour } from "../../../src/client/render/paint.ts";
import { facts, table } from "../../../src/client/render/table.ts";

const widths: readonly (readonly [string, number])[] = [
  ["", 0],
  ["abc", 3],
  ["é", 1],
  ["e\u0301", 1],
  ["漢字", 4],
  ["한국", 4],
  ["👍", 2],
  ["👨‍👩‍👧", 2],
  ["━─✓", 3],
];

for (const [text, columns] of widths) {
  test(`${JSON.stringify(text)} takes ${columns} columns`, () => assert.equal(displayWidth(text), columns));
}

const cuts: readonly (readonly [string, number, string])[] = [
  ["abc", 3, "abc"],
  ["abcd", 3, "ab…"],
  ["漢字漢", 4, "漢…"],
  ["漢字", 4, "漢字"],
  ["abc", 1, "…"],
  ["abc", 0, ""],
];

for (const [text, columns, expected] of cuts) {
  test(`${JSON.stringify(text)} cut to ${columns} columns`, () => {
    const cut = truncate(text, columns);
    assert.equal(cut, expected);
    assert.ok(displayWidth(cut) <= columns);
  });
}

test("padding counts columns, not characters", () => {
  assert.equal(padEnd("漢", 4), "漢  ");
  assert.equal(padStart("漢", 4), "  漢");
});

const shown: readonly (readonly [string, string])[] = [
  ["plain ü 漢", "plain ü 漢"],
  ["\u001b[2J\u0007", "\\x1b[2J\\x07"],
  ["a\r\nb\tc", "a\\x0d\\x0ab\\x09c"],
  ["\u009b31m", "\\x9b31m"],
  ["evil\u202egnp.exe", "evil\\u{202e}gnp.exe"],
  ["\ud800", "\\u{d800}"],
  ["\u061calm", "\\u{61c}alm"],
  ["soft\u00adhyphen", "soft\\xadhyphen"],
  ["tag\u{e0041}", "tag\\u{e0041}"],
  ["👨‍👩‍👧", "👨‍👩‍👧"],
];

for (const [text, expected] of shown) {
  test(`${JSON.stringify(text)} is shown as ${JSON.stringify(expected)}`, () =>
    assert.equal(safeText(text), expected));
}

test("of several lines the breaks and tabs stay", () => {
  assert.equal(safeLines("a\tb\n\u001b[2Jc\r\n"), "a\tb\n\\x1b[2Jc\\x0d\n");
});

const sizes: readonly (readonly [number | bigint, string])[] = [
  [0, "0 B"],
  [999, "999 B"],
  [1000, "0.98 KiB"],
  [1024, "1.00 KiB"],
  [12n * 1024n * 1024n, "12.0 MiB"],
  [1023 * 1024, "1.00 MiB"],
  [4 * 1024 ** 3, "4.00 GiB"],
  [2000 * 1024 ** 5, "2000 PiB"],
];

for (const [bytes, expected] of sizes) {
  test(`${bytes} bytes are ${expected}`, () => assert.equal(formatBytes(bytes), expected));
}

const durations: readonly (readonly [number, string])[] = [
  [-5, "0 ms"],
  [40, "40 ms"],
  [1234, "1.2 s"],
  [9960, "10 s"],
  [59_400, "59 s"],
  [59_600, "1 min 00 s"],
  [185_000, "3 min 05 s"],
  [7_380_000, "2 h 03 min"],
];

for (const [milliseconds, expected] of durations) {
  test(`${milliseconds} ms are ${expected}`, () => assert.equal(formatDuration(milliseconds), expected));
}

test("one and many", () => {
  assert.equal(plural(1, "loss", "losses"), "1 loss");
  assert.equal(plural(65470n, "entry", "entries"), "65,470 entries");
});

test("a line is cut by what is seen, not by the colours in it", () => {
  const line = [{ text: "abc", style: "red" }, { text: "defgh" }] as const;
  assert.equal(drawLine(line, 5, false), "abcd…");
  assert.equal(drawLine(line, 5, true), "\u001b[31mabc\u001b[39md…");
  assert.equal(drawLine(line, 8, false), "abcdefgh");
});

test("colours are for terminals that want them", () => {
  assert.equal(wantsColour(true, {}), true);
  assert.equal(wantsColour(false, {}), false);
  assert.equal(wantsColour(true, { NO_COLOR: "1" }), false);
  assert.equal(wantsColour(true, { NO_COLOR: "" }), true);
  assert.equal(wantsColour(true, { TERM: "dumb" }), false);
  assert.equal(wantsColour(false, { FORCE_COLOR: "1" }), true);
  assert.equal(wantsColour(true, { FORCE_COLOR: "1", NO_COLOR: "1" }), false);
});

test("tables line up, and no cell can break out of its line", () => {
  assert.deepEqual(
    table(
      ["A", "B"],
      [
        ["漢", "x"],
        ["bcd", "\u001b[1m"],
      ],
    ),
    ["A    B", "漢   x", "bcd  \\x1b[1m"],
  );
  assert.deepEqual(
    facts([
      ["a", "1"],
      ["gone", ""],
      ["bb", "2\n"],
    ]),
    ["a   1", "bb  2\\x0a"],
  );
});
