import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { debianKernelPackage } from "./system/debian-kernel.ts";
import { makeTempDir } from "../src/base/files.ts";

const root = join(import.meta.dirname, "..");

/** The commands of a page: what stands in its `sh` fences, in order. */
export function commandsOf(page: string): readonly string[] {
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
}

/** These install and test the checkout itself: whoever runs this test has just run them. */
const runOtherwise: ReadonlySet<string> = new Set(["npm ci && npm run -s demo\n", "npm ci && npm test\n"]);

/** As a person would type them, one after the other in one shell, in a home of their own. */
async function runAll(
  commands: readonly string[],
  home: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ status: number | null; said: string }> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    TMPDIR: home,
    XDG_RUNTIME_DIR: home,
    LANG: "C.UTF-8",
    ...more,
  };
  const shell = spawn("bash", ["-euo", "pipefail", "-c", commands.join("\n")], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => (said += piece));
  await once(shell, "close");
  return { status: shell.exitCode, said };
}

for (const page of ["README.md", ...globSync("docs/*.md", { cwd: root }).sort()]) {
  const commands = commandsOf(readFileSync(join(root, page), "utf8")).filter(
    (text) => !runOtherwise.has(text),
  );
  if (commands.length === 0) continue;
  test(`every command in ${page} does what it is there for`, async () => {
    await using home = await makeTempDir("banger-docs-");
    // What a reader has downloaded before.
    const having = page === "docs/kernels.md" ? { package: debianKernelPackage() } : {};
    const { status, said } = await runAll(commands, home.path, having);
    assert.equal(status, 0, said.slice(-3000));
  });
}

test("the README gives one command for the main job and one for the tests", () => {
  const commands = new Set(commandsOf(readFileSync(join(root, "README.md"), "utf8")));
  for (const command of runOtherwise) assert.ok(commands.has(command), command);
});

test("a command that fails is seen", async () => {
  await using home = await makeTempDir("banger-docs-");
  const { status } = await runAll(["echo fine\n", "false | cat\n", "echo never\n"], home.path);
  assert.notEqual(status, 0);
});
