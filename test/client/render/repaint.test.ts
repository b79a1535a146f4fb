import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hideCursor, repaint, showCursor, type Painted } from "../../../src/client/render/repaint.ts";
import { Screen } from "../../system/screen.ts";

const above = ["$b", "said"];

/** A screen that has had each picture drawn over the one before. */
function painted(pictures: readonly Painted[], rows = 12, first = above): Screen {
  const screen = new Screen(pictures[0]?.width ?? 80, rows);
  screen.write(first.map((line) => `${line}\r\n`).join(""));
  let before: Painted = { lines: [], width: screen.columns };
  for (const picture of pictures) {
    if (picture.width !== screen.columns) screen.resize(picture.width);
    screen.write(repaint(before, picture));
    before = picture;
  }
  return screen;
}

const width = 20;

test("each picture takes the place of the one before, and what stood above stays", () => {
  const pictures = [["a", "bb"], ["a", "x", "ccc"], ["only"], [], ["\u001b[32mgreen\u001b[39m", "two"]];
  for (let count = 1; count <= pictures.length; count++) {
    const screen = painted(pictures.slice(0, count).map((lines) => ({ lines, width })));
    // oxlint-disable-next-line no-control-regex -- colours are control sequences
    const shown = (pictures[count - 1] ?? []).map((line) => line.replace(/\u001b\[\d+m/g, ""));
    assert.deepEqual(screen.lines.join("\n").trimEnd(), [...above, ...shown].join("\n"));
    assert.equal(screen.overflows, 0);
  }
});

test("the last character of a line that fills its row stays", () => {
  const full = "x".repeat(width - 1);
  for (const pictures of [
    [["a"], [`${full}1`]],
    [[`${full}1`], [`${full}2`]],
    [["a", "b"], [`\u001b[32m${full}\u001b[39m3`]],
  ]) {
    const { lines } = painted(pictures.map((one) => ({ lines: one, width })));
    assert.match(lines.at(-2) ?? "", /^x{19}[1-3]$/);
  }
});

test("at the top of the screen nothing is left behind, in its history neither", () => {
  for (const last of [[], ["only"]]) {
    const pictures = [["a", "bb", "ccc"], last].map((lines) => ({ lines, width }));
    assert.deepEqual(painted(pictures, 12, []).lines.join("|").replace(/\|+$/, ""), last.join("|"));
  }
});

test("what is the same is not written again", () => {
  const picture = { lines: ["one", "two"], width };
  assert.equal(repaint(picture, { lines: ["one", "two"], width }), "");
  assert.ok(!repaint(picture, { lines: ["one", "three"], width }).includes("one"));
});

test("any pictures, at any widths: the last one stands below what stood above", () => {
  const line = fc.stringMatching(/^[a-z ]{0,30}$/).map((text) => text.trimEnd());
  const picture = fc.record({
    lines: fc.array(line, { maxLength: 5 }),
    width: fc.integer({ min: 4, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(picture, { minLength: 1, maxLength: 5 }), (drawn) => {
      const pictures = drawn.map((one) => ({
        ...one,
        lines: one.lines.map((text) => text.slice(0, one.width).trimEnd()),
      }));
      // High enough that nothing leaves at the top: what has left no program can take back.
      const screen = painted(pictures, 60);
      const last = pictures.at(-1)?.lines ?? [];
      assert.deepEqual(screen.lines.slice(screen.lines.length - last.length - 1), [...last, ""]);
      const before = screen.lines.slice(0, screen.lines.length - last.length - 1);
      assert.equal(before.join(""), above.join(""));
    }),
  );
});

test("the screen tells a line that is too long, and where it goes on", () => {
  const screen = new Screen(4, 3);
  screen.write("abcdef");
  assert.deepEqual(screen.lines, ["abcd", "ef"]);
  assert.equal(screen.overflows, 1);
  screen.resize(8);
  assert.deepEqual(screen.lines, ["abcdef"]);
  screen.write(`${hideCursor}\r\n`);
  assert.equal(screen.cursorShown, false);
  screen.write(showCursor);
  assert.equal(screen.cursorShown, true);
  assert.throws(() => screen.write("\u001b[2Z"), /no such control sequence/);
});
