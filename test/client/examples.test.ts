import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { CommanderError } from "commander";
import { BangerError } from "../../src/base/error.ts";
import { commandSpec, leavesOf } from "../../src/client/command-spec.ts";
import { exampleText, examplesOf, exemplified } from "../../src/client/examples.ts";
import { buildProgram } from "../../src/client/program.ts";
import type { Rpc } from "../../src/client/rpc.ts";
import type { Terminal } from "../../src/client/terminal.ts";
import { waitNotice } from "../../src/client/wait-notice.ts";

/** Where a command would have called the daemon: all its words were understood. */
class CalledError extends Error {}

function refuse(): never {
  throw new CalledError();
}

/** Follows a line to its call. Undefined where it gets there, or needs none; else what is wrong with it. */
async function wrongWith(line: string): Promise<string | undefined> {
  const [name, ...words] = (line.split(/ [|>] /)[0] ?? "").split(" ");
  assert.equal(name, "banger", line);
  const stdout = new PassThrough().resume();
  const stderr = new PassThrough().resume();
  const terminal: Terminal = { stdout, stderr, env: {}, folder: "/" };
  const rpc: Rpc = { unary: refuse, stream: refuse };
  const program = buildProgram(terminal, async (work) => {
    const notice = waitNotice(() => {});
    await work({ rpc, signal: new AbortController().signal, terminal, notice });
  });
  try {
    await program.parseAsync(words, { from: "user" });
    return undefined;
  } catch (error) {
    const cause = error instanceof BangerError ? error.cause : error;
    if (cause instanceof CalledError) return undefined;
    if (error instanceof CommanderError || error instanceof BangerError) return error.message;
    throw error;
  }
}

const stdout = new PassThrough();
const spec = commandSpec(buildProgram({ stdout, stderr: stdout, env: {}, folder: "/" }, async () => {}));

for (const path of exemplified()) {
  for (const { line, does } of examplesOf(path)) {
    test(line, async () => {
      assert.equal(await wrongWith(line), undefined);
      assert.ok(line === path || line.startsWith(`${path} `), `it is an example of ${path}`);
      assert.ok(line.length <= 98 && does.length <= 76, "it fits a terminal");
      assert.doesNotMatch(does, /\.$/);
    });
  }
}

test("an example that is wrong is seen", async () => {
  for (const line of [
    "banger image pul debian",
    "banger image pull",
    "banger image pull debian --nmae x",
    "banger image pull debian --size 4Q",
    "banger image ls --sort age",
    "banger image du base --depth many",
    "banger image cat base",
  ]) {
    assert.notEqual(await wrongWith(line), undefined, line);
  }
});

test("every command that does something has an example, and nothing else has", () => {
  const leaves = leavesOf(spec);
  assert.deepEqual(
    leaves.filter(({ examples }) => examples.length === 0).map(({ path }) => path),
    [],
  );
  const known = new Set([spec.path, ...leaves.map(({ path }) => path)]);
  assert.deepEqual(
    exemplified().filter((path) => !known.has(path)),
    [],
  );
});

test("a group shows one example of each of its first commands", () => {
  assert.match(exampleText("banger cache"), /banger cache usage\n.*\n {2}banger cache prune --unused-for 7d/);
  assert.equal(exampleText("bangerd"), "");
});
