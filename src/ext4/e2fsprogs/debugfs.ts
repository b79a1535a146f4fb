import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { byteString, printable } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import { complaints, runProgram, type ProgramContext } from "./programs.ts";
import { scriptBytes } from "./script.ts";

/** A command, and what it is for. */
export interface Command {
  readonly text: string;
  /** The file that it is about, as a person reads it. */
  readonly subject: () => string;
}

export interface ScriptContext extends ProgramContext {
  readonly image: string;
  readonly tempDir: string;
  /** Commands that have run. */
  readonly onCommands: (done: number, total: number) => void;
}

/**
 * Commands of one run: about 50 ms of debugfs, and as long of our event loop for writing them and for holding its
 * output against them.
 */
const commandsPerRun = 50_000;

/**
 * Runs commands on the image, in as few runs as their output allows.
 *
 * The exit code means nothing (1.47.0: 0 for a missing file, a bad field, a failed write). So debugfs must echo
 * every command as it was sent, print nothing else, and complain about nothing. That all of it took effect is for
 * the caller to see by reading back.
 *
 * @throws BangerError E2FSPROGS_FAILED
 */
export async function runScript(commands: readonly Command[], context: ScriptContext): Promise<void> {
  for (let start = 0; start < commands.length; start += commandsPerRun) {
    await runOnce(commands.slice(start, start + commandsPerRun), start, commands.length, context);
  }
}

async function runOnce(
  commands: readonly Command[],
  before: number,
  total: number,
  context: ScriptContext,
): Promise<void> {
  const script = join(context.tempDir, "debugfs.script");
  await writeFile(script, scriptBytes(commands.map(({ text }) => text)), { mode: 0o600 });
  let done = before;
  const onStdout = (piece: Uint8Array): void => {
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) done += 1;
    context.onCommands(Math.min(done, before + commands.length), total);
  };
  const args = ["-w", "-f", script, context.image];
  const { exitCode, stdout, stderr } = await runProgram("debugfs", args, context, { onStdout });
  const said = complaints(stderr);
  const wrong = firstUnexpected(commands, byteString(stdout));
  if (wrong !== undefined) throw scriptFailure(wrong.command, `${wrong.found}${said && ` (${said})`}`, said);
  if (said !== "" || exitCode !== 0)
    throw scriptFailure(undefined, said || `it ended with ${exitCode ?? "a signal"}`, said);
}

interface Unexpected {
  readonly command: Command | undefined;
  readonly found: string;
}

/** Holds the output against the commands: each echoed after a prompt; `mknod` says which inode it took, `kill_file` an empty line. */
export function firstUnexpected(commands: readonly Command[], stdout: string): Unexpected | undefined {
  const lines = stdout.split("\n");
  let at = 0;
  for (const command of commands) {
    const line = lines[at++];
    if (line !== `debugfs: ${command.text}`) return { command, found: `echoed as ${shownLine(line)}` };
    if (command.text.startsWith("mknod ") && /^Allocated inode: \d+$/u.test(lines[at] ?? "")) at += 1;
    if (command.text.startsWith("kill_file ") && lines[at] === "" && at < lines.length - 1) at += 1;
    if (!(lines[at] ?? "").startsWith("debugfs: ") && !(at === lines.length - 1 && lines[at] === ""))
      return { command, found: `answered by ${shownLine(lines[at])}` };
  }
  return at === lines.length - 1
    ? undefined
    : { command: undefined, found: `more output: ${shownLine(lines[at])}` };
}

function shownLine(line: string | undefined): string {
  return line === undefined
    ? "nothing"
    : JSON.stringify(printable(byteString(Buffer.from(line, "latin1"))).slice(0, 300));
}

export function scriptFailure(command: Command | undefined, what: string, stderr = ""): BangerError {
  const text = command === undefined ? "" : printable(byteString(Buffer.from(command.text, "latin1")));
  const about = command === undefined ? "" : `\`${text.slice(0, 600)}\` for ${command.subject()}: `;
  return new BangerError("E2FSPROGS_FAILED", `debugfs did not do as told: ${about}${what}`, {
    op: "apply ownership",
    facts: { program: "debugfs", command: text, path: command?.subject() ?? "", stderr },
  });
}
