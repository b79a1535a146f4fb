import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { errnoOf } from "../src/base/error.ts";
import { makeTempDir } from "../src/base/files.ts";
import { bzImage } from "./kernel/sample-kernels.ts";
import { debianKernelPackage } from "./system/debian-kernel.ts";
import { writeDebianPackage } from "./system/debian-package.ts";
import { startDockerIo, type DockerIo } from "./system/docker-io.ts";
import { docPages, fencesOf, readPage } from "./system/doc-pages.ts";

const root = join(import.meta.dirname, "..");

type Variables = Readonly<Record<string, string>>;

/** These install and test the checkout itself: whoever runs this test has just run them. */
const runOtherwise: ReadonlySet<string> = new Set(["npm ci && npm run -s demo\n", "npm ci && npm test\n"]);

/** What a page left in the background ends with its shell: the test would wait for its words for ever. */
function endWhatIsLeft(group: number | undefined): void {
  try {
    if (group !== undefined) process.kill(-group, "SIGKILL");
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}

/** As a person would type them, one after the other in one shell, in a home of their own. */
async function runAll(
  commands: readonly string[],
  home: string,
  more: Variables = {},
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
    detached: true,
  });
  shell.once("exit", () => endWhatIsLeft(shell.pid));
  let said = "";
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => (said += piece));
  await once(shell, "close");
  return { status: shell.exitCode, said };
}

/** What those pages pull without saying where it is. */
let dockerIo: DockerIo | undefined;
before(async () => {
  dockerIo = await startDockerIo();
});
after(() => dockerIo?.[Symbol.asyncDispose]());

/** What a reader of those pages has from elsewhere, by the variable that the page calls it by. */
const having: Readonly<Record<string, (home: string) => Variables>> = {
  "docs/api.md": sampleKernels,
  "docs/kernels.md": () => ({ package: debianKernelPackage() }),
};

/** Nothing of that page boots them. */
function sampleKernels(home: string): Variables {
  const paths = { kernel: join(home, "vmlinuz"), package: join(home, "linux-image.deb") };
  writeFileSync(paths.kernel, bzImage("6.1.0-own"));
  writeDebianPackage(paths.package, "linux-image-sample", { "boot/vmlinuz-6.1.0": bzImage("6.1.0") });
  return paths;
}

for (const page of docPages()) {
  const commands = fencesOf(readPage(page), "sh").filter((text) => !runOtherwise.has(text));
  if (commands.length === 0) continue;
  test(`every command in ${page} does what it is there for`, async () => {
    await using home = await makeTempDir("banger-docs-");
    dockerIo?.leadBanger(home.path);
    const { status, said } = await runAll(commands, home.path, having[page]?.(home.path));
    assert.equal(status, 0, said.slice(-3000));
    // A guest's shell that was typed half a command, or lacks what a script of ours calls, goes on all the same.
    assert.doesNotMatch(said, /: \d+: \S+: not found/);
  });
}

test("the README gives one command for the main job and one for the tests", () => {
  const commands = new Set(fencesOf(readPage("README.md"), "sh"));
  for (const command of runOtherwise) assert.ok(commands.has(command), command);
});

test("a command that fails is seen", async () => {
  await using home = await makeTempDir("banger-docs-");
  const { status } = await runAll(["sleep 1000 &\n", "false | cat\n", "echo never\n"], home.path);
  assert.equal(status, 1);
});
