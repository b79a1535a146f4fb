import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasProgram, runProgram, type Ran } from "./programs.ts";

/** The shells that images have: Debian's and Alpine's. */
export const shells: readonly (readonly string[])[] = [["dash"], ["busybox", "sh"]].filter(
  ([program = "", ...args]) => hasProgram(program, [...args, "-c", "exit 0"]),
);

/**
 * A folder to be the whole PATH: links to real tools, and stubs that note how they were called in `log`
 * and then run a line of shell.
 */
export function stubTools(
  folder: string,
  real: readonly string[],
  stubs: Readonly<Record<string, string>>,
): { readonly path: string; readonly log: string } {
  const path = join(folder, "tools");
  const log = join(folder, "calls");
  mkdirSync(path, { recursive: true });
  for (const tool of real) {
    const found = ["/bin", "/usr/bin"].map((dir) => join(dir, tool)).find(existsSync);
    if (found === undefined) throw new Error(`no ${tool} on this machine`);
    symlinkSync(found, join(path, tool));
  }
  for (const [name, line] of Object.entries(stubs)) {
    writeFileSync(join(path, name), `#!/bin/sh\necho "${name} $*" >>"${log}"\n${line}\n`);
    chmodSync(join(path, name), 0o755);
  }
  return { path, log };
}

export function callsIn(log: string): readonly string[] {
  return existsSync(log)
    ? readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];
}

/** Runs a script by a shell, given by its full path so that PATH can be the stubs alone. */
export function runScript(
  shell: readonly string[],
  script: string,
  env: Readonly<Record<string, string>>,
): Ran {
  const [program = "sh", ...args] = shell;
  const full = ["/bin", "/usr/bin"].map((dir) => join(dir, program)).find(existsSync) ?? program;
  return runProgram(full, [...args, script], env);
}

/**
 * Copies of a script in each of which the shell kills itself before one line, for every line where that is
 * still a script. CUT_AT says at which arrival there: loops come by more than once.
 */
export function cutVariants(source: string, folder: string): readonly string[] {
  const lines = source.split("\n");
  return lines.flatMap((_, index) => {
    const variant = join(folder, `cut-${index + 1}`);
    const cut = 'cut=$((${cut:-0} + 1)); [ "$cut" -ne "$CUT_AT" ] || kill -9 $$';
    writeFileSync(variant, [...lines.slice(0, index), cut, ...lines.slice(index)].join("\n"));
    return index > 0 && runProgram("sh", ["-n", variant]).status === 0 ? [variant] : [];
  });
}
