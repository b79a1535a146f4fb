import assert from "node:assert/strict";
import { test } from "node:test";
import { commandSpec } from "../../../src/client/command-spec.ts";
import { complete } from "../../../src/client/completion/complete.ts";
import { buildProgram } from "../../../src/client/program.ts";
import { processTerminal } from "../../../src/client/terminal.ts";

const program = commandSpec(buildProgram(processTerminal(), async () => {}));

function words(...line: readonly string[]): readonly string[] {
  return complete(program, line).candidates.map(({ word }) => word);
}

test("the first word is a command, and no hidden one", () => {
  for (const name of ["image", "pull", "kernel", "cache", "daemon", "completion"])
    assert.ok(words("").includes(name), name);
  assert.ok(!words("").includes("complete"));
  assert.deepEqual(words("im"), ["image"]);
  assert.deepEqual(words("nothing-of-the-kind"), []);
});

test("a command's own commands, with what each does", () => {
  const { candidates } = complete(program, ["image", "ren"]);
  assert.deepEqual(candidates, [{ word: "rename", description: "give an image another name" }]);
});

test("options come by their long names, the command's before the program's", () => {
  const options = words("image", "pull", "--");
  assert.ok(options.indexOf("--builder") < options.indexOf("--socket"));
  assert.equal(new Set(options).size, options.length);
  assert.deepEqual(words("image", "ls", "--so"), ["--sort", "--socket"]);
});

test("an option's choices, after a blank and after =", () => {
  assert.deepEqual(words("image", "pull", "--builder", ""), ["direct", "e2fsprogs"]);
  assert.deepEqual(words("image", "pull", "--builder=d"), ["--builder=direct"]);
  assert.deepEqual(words("image", "pull", "--quiet=x"), []);
});

const kinds: readonly (readonly [readonly string[], string | undefined])[] = [
  [["image", "rm", ""], "image"],
  [["image", "rm", "one", "two", ""], "image"],
  [["image", "inspect", "one", ""], undefined],
  [["image", "cat", "one", ""], undefined],
  [["image", "pull", "--kernel", ""], "file"],
  [["image", "pull", "--kernel-ref", ""], "kernel"],
  [["image", "pull", "ref", "--modules", ""], "folder"],
  [["image", "pull", ""], undefined],
  [["image", "pull", "debian:"], undefined],
  [["image", "pull", "oci:"], "folder"],
  [["image", "pull", "oci:/a:"], undefined],
  [["image", "resolve", "oci-archive:/a"], "file"],
  [["image", "pull", "docker-archive:"], "file"],
  [["image", "pull", "constructor:"], undefined],
  [["image", "pull", "--kernel-ref", "deb:./"], "file"],
  [["image", "pull", "--kernel-ref=deb:"], "file"],
  [["kernel", "pull", "deb:"], "file"],
  [["--socket", ""], "file"],
  [["--socket", "image", ""], undefined],
  [["pull", "watch", "p"], "pull"],
  [["image", "rm", "--", "--"], "image"],
];

for (const [line, kind] of kinds) {
  test(`${JSON.stringify(line)} wants ${kind ?? "nothing that is named"}`, () =>
    assert.equal(complete(program, line).also, kind));
}

test("help takes the name of a command, and nothing else", () => {
  assert.deepEqual(words("help", ""), words(""));
  assert.deepEqual(words("help", "im"), ["image"]);
  assert.deepEqual(words("image", "help", "ren"), ["rename"]);
  assert.deepEqual(words("help", "-"), []);
  assert.deepEqual(words("help", "image", ""), []);
});

test("a value is no command, and no option", () => {
  assert.ok(words("--state-dir", "image", "").includes("kernel"), "the value of --state-dir was skipped");
  assert.deepEqual(words("image", "rm", "--", "--js"), []);
});

test("every word that may be typed is completed from its first letters", () => {
  const all = [program];
  for (const spec of all) {
    all.push(...spec.commands);
    const path = spec.path.split(" ").slice(1);
    for (const { name } of spec.commands) assert.ok(words(...path, name.slice(0, 2)).includes(name), name);
    for (const option of spec.options) {
      const long = option.words.at(-1) ?? "";
      assert.ok(words(...path, long.slice(0, 3)).includes(long), `${spec.path} ${long}`);
    }
  }
  assert.ok(all.length > 20);
});
