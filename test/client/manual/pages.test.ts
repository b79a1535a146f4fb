import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { commandSpec } from "../../../src/client/command-spec.ts";
import { manPage } from "../../../src/client/manual/man-page.ts";
import { manualPages } from "../../../src/client/manual/pages.ts";
import { buildProgram } from "../../../src/client/program.ts";
import { processTerminal } from "../../../src/client/terminal.ts";

/** What a reader sees, and what groff has to say against it. */
function formatted(page: string): { readonly text: string; readonly complaints: string } {
  const { stdout, stderr, status } = spawnSync("groff", ["-man", "-Tascii", "-P-cbou", "-ww", "-rLL=200n"], {
    input: page,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return { text: stdout.replace(/\s+/g, " "), complaints: stderr };
}

test("the manual tells every command and every option, without a complaint of groff's", () => {
  const { text, complaints } = formatted(manualPages().get("banger.1") ?? "");
  assert.equal(complaints, "");
  const all = [commandSpec(buildProgram(processTerminal(), async () => {}))];
  for (const spec of all) {
    all.push(...spec.commands);
    if (spec.commands.length === 0) assert.ok(text.includes(spec.path), spec.path);
    for (const { flags } of spec.options) assert.ok(text.includes(flags), flags);
    if (spec.commands.length === 0)
      for (const { line, does } of spec.examples) assert.ok(text.includes(`${does}. ${line}`), line);
  }
});

test("the daemon's page", () => {
  const { text, complaints } = formatted(manualPages().get("bangerd.8") ?? "");
  assert.equal(complaints, "");
  for (const word of ["--state-dir <folder>", "--system", "SIGTERM", "BANGERD(8)"])
    assert.ok(text.includes(word));
});

test("groff complains of a page that is wrong, and text can't become a command", () => {
  assert.notEqual(formatted(".TH X 1\n.NOSUCHMACRO\n").complaints, "");
  const spec = {
    path: "x",
    name: "x",
    description: ".SH forged\n'so /etc/passwd\n\\fBback\\slash",
    options: [],
    arguments: [],
    examples: [],
    commands: [],
  };
  const { text, complaints } = formatted(manPage({ spec, section: 1, version: "1", more: [] }));
  assert.equal(complaints, "");
  assert.ok(text.includes(".SH forged 'so /etc/passwd \\fBback\\slash"), text);
});
