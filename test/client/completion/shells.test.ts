import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { completionScripts, shells } from "../../../src/client/completion/scripts.ts";

const folder = mkdtempSync(join(tmpdir(), "banger-completion-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const program = join(import.meta.dirname, "../../../src/bin/banger.js");

// The program as an install has it: by its name on the PATH; and files to complete.
mkdirSync(join(folder, "bin"));
writeFileSync(join(folder, "bin/banger"), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
chmodSync(join(folder, "bin/banger"), 0o755);
mkdirSync(join(folder, "work/folder"), { recursive: true });
writeFileSync(join(folder, "work/vmlinux-one"), "");
for (const shell of shells) writeFileSync(join(folder, `banger.${shell}`), completionScripts[shell]);

/** What the shell would offer for a line with the cursor at its end. */
type Offer = (line: string) => readonly string[];

function run(command: string, args: readonly string[]): readonly string[] {
  const env = { ...process.env, PATH: `${folder}/bin:${process.env["PATH"]}`, HOME: folder };
  const { stdout, stderr, status } = spawnSync(command, args, {
    cwd: join(folder, "work"),
    encoding: "utf8",
    timeout: 60_000,
    env: { ...env, BANGER_SOCKET: join(folder, "none.sock") },
  });
  assert.equal(status, 0, stderr);
  return stdout.split("\n").filter((line) => line !== "");
}

const offers: Readonly<Record<(typeof shells)[number], Offer>> = {
  bash: (line) =>
    run("bash", [
      "-c",
      // compopt has no meaning outside a completion that readline asked for.
      'compopt() { :; }; source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _banger; printf "%s\\n" "${COMPREPLY[@]}"',
      "bash",
      join(folder, "banger.bash"),
      line,
    ]),
  fish: (line) =>
    run("fish", [
      "--no-config",
      "-c",
      `source ${folder}/banger.fish; complete -C ${JSON.stringify(line)}`,
    ]).map((offered) => offered.split("\t")[0] ?? ""),
  // Zsh completes for its line editor alone; what the function hands to the editor's builtins is what it offers.
  zsh: (line) =>
    run("zsh", [
      "-fc",
      `compdef() { :; }
       _describe() { local name=$4; print -l -- "\${(@)\${(P)name}%%:*}"; }
       compset() { PREFIX=\${PREFIX[$2+1,-1]}; }
       _files() { if [[ $1 == -/ ]]; then print -l -- $PREFIX*(N/); else print -l -- $PREFIX*(N); fi; }
       source "$1"; words=("\${(@s: :)2}"); CURRENT=$#words; PREFIX=$words[-1]; _banger; true`,
      "zsh",
      join(folder, "banger.zsh"),
      line,
    ]),
};

for (const shell of shells) {
  test(`${shell} completes commands, options, choices and files`, () => {
    const offer = offers[shell];
    assert.deepEqual(offer("banger im"), ["image"]);
    assert.ok(offer("banger image ").includes("inspect"));
    assert.deepEqual(offer("banger image pull --deta"), ["--detach"]);
    assert.deepEqual([...offer("banger image pull --builder ")].toSorted(), ["direct", "e2fsprogs"]);
    assert.ok(offer("banger image pull --kernel ").includes("vmlinux-one"));
    const folders = offer("banger image pull x --kernel y --modules ").map((name) => name.replace(/\/$/, ""));
    assert.deepEqual(folders, ["folder"]);
    assert.deepEqual(offer("banger nothing-of-the-kind "), []);
  });

  test(`${shell} completes the path behind a scheme`, () => {
    // Fish replaces the whole word, the others what stands behind the scheme.
    const behind = (line: string): readonly string[] =>
      offers[shell](line).map((word) => word.replace(/^.*[:=]/, "").replace(/\/$/, ""));
    assert.deepEqual(behind("banger image pull oci:"), ["folder"]);
    assert.deepEqual(behind("banger image pull oci-archive:vml"), ["vmlinux-one"]);
    assert.deepEqual(behind("banger image pull x --kernel-ref deb:vml"), ["vmlinux-one"]);
    assert.deepEqual(behind("banger image pull x --kernel=vml"), ["vmlinux-one"]);
    assert.deepEqual(behind("banger image pull debian:"), []);
  });
}

test("fish keeps what stands before the path", () => {
  assert.deepEqual(offers.fish("banger image pull docker-archive:vml"), ["docker-archive:vmlinux-one"]);
});

test("bash replaces only what follows the last = of a word", () => {
  assert.deepEqual(offers.bash("banger image pull --builder=d"), ["direct"]);
});
