import { spawnSync } from "node:child_process";

/** Runs a program of this machine and returns its stdout; anything but success is the test's failure. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): string {
  const result = spawnSync(program, [...args], { ...options, encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.status === 0) return result.stdout;
  const why = result.error?.message ?? `exit ${String(result.status)}\n${result.stdout}${result.stderr}`;
  throw new Error(`${program} ${args.join(" ")}: ${why}`);
}
