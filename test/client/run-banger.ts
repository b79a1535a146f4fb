import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { runCommandLine } from "../../src/client/main.ts";

const program = join(import.meta.dirname, "../../src/bin/banger.js");

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
}

/**
 * Starts the real program; its streams are pipes, and standard input ends at once or stays open. The
 * environment is this one's less what steers banger.
 */
export function startBanger(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdin: "ended" | "open" = "ended",
): Running {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:BANGER_|NO_COLOR$|FORCE_COLOR$)/.test(name)),
  );
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...inherited, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  if (stdin === "ended") child.stdin.end();
  const exited = new Promise<Pick<Ran, "code" | "signal">>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const ended = Promise.all([exited, text(child.stdout), text(child.stderr)]).then(
    ([{ code, signal }, stdout, stderr]) => ({ code, signal, stdout, stderr }),
  );
  return { child, ended };
}

/** Runs the program in this process, which takes a tenth of the time. The environment is what is given, alone. */
export async function banger(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Omit<Ran, "signal">> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const told = Promise.all([text(stdout), text(stderr)]);
  const code = await runCommandLine(args, { stdout, stderr, env, folder: process.cwd() });
  stdout.end();
  stderr.end();
  const [out, err] = await told;
  return { code, stdout: out, stderr: err };
}
