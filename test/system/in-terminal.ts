import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Screen } from "./screen.ts";

export interface TerminalRun extends Disposable {
  readonly screen: Screen;
  /** All that was written, as it came. */
  readonly output: () => string;
  readonly child: ChildProcess;
  /** The program's exit code. */
  readonly ended: Promise<number>;
  /** Types, as a person would. */
  type(text: string): void;
  /** Makes the terminal another size, of which the program is told by SIGWINCH. */
  resize(columns: number, rows: number): Promise<void>;
}

/** Runs a program in a pseudo-terminal of its own, and shows its output on a screen. */
export function inTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  size: { readonly columns: number; readonly rows: number },
): TerminalRun {
  const folder = mkdtempSync(join(tmpdir(), "banger-pty-"));
  const ttyFile = join(folder, "tty");
  const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const line = `stty cols ${size.columns} rows ${size.rows}; tty > ${ttyFile}; exec ${words}`;
  const screen = new Screen(size.columns, size.rows);
  let output = "";
  // -q: no words of its own; -e: the program's exit code; -f: as soon as it comes. No echo of what is typed.
  const child = spawn("script", ["-qefc", line, "-E", "never", "/dev/null"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      TERM: "xterm-256color",
      LANG: "C.UTF-8",
      SHELL: "/bin/sh",
      ...env,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (piece: string) => {
    output += piece;
    screen.write(piece);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? -1));
  });
  return {
    screen,
    child,
    ended,
    output: () => output,
    type: (text) => child.stdin.write(text),
    resize: async (columns, rows) => {
      const stty = spawn("sh", ["-c", `stty cols ${columns} rows ${rows} < "$(cat ${ttyFile})"`], {
        stdio: "inherit",
      });
      await new Promise<void>((resolve, reject) =>
        stty.once("close", (code) => (code === 0 ? resolve() : reject(new Error("stty failed")))),
      );
      screen.resize(columns, rows);
    },
    [Symbol.dispose]: () => {
      if (child.exitCode === null) child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
