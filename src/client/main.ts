import { CommanderError } from "commander";
import { asBangerError } from "../base/error.ts";
import { usageErrorOf } from "../service/usage-error.ts";
import { commandSpec, type CommandSpec } from "./command-spec.ts";
import { commandAt } from "./completion/complete.ts";
import { exitCodeOf, exitCodes, type ExitCode } from "./exit-code.ts";
import { elsewhere } from "./misspelled.ts";
import { daemonPlace, likelyPlace, type PlaceFlags } from "./place.ts";
import { buildProgram } from "./program.ts";
import { sessionRunner, tellError } from "./run-session.ts";
import { usageLines } from "./render/error.ts";
import { columnsOf, processTerminal, showLines, stderrColour, type Terminal } from "./terminal.ts";

/** What the program `banger` does: runs its command line and sets the process's exit code. */
export async function main(args: readonly string[]): Promise<void> {
  // A stream that breaks is no reason to die with a stack: commands watch stdout, and what can't be told on stderr
  // is no reason to give up the work.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  process.exitCode = await runCommandLine(args, processTerminal());
}

/** Runs one command line, without the program's name. Never rejects: errors are told on the terminal's stderr. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.done;
  const setExitCode = (code: ExitCode): void => {
    exitCode = code;
  };
  const paths = (anyConfig: boolean) =>
    (anyConfig ? likelyPlace : daemonPlace)(program.opts<PlaceFlags>(), terminal);
  const program = buildProgram(terminal, sessionRunner({ terminal, paths, setExitCode }));
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    // Help and version come here too, with code 0.
    if (error instanceof CommanderError) {
      tellUsageError(error, commandSpec(program), args, terminal);
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    }
    const failure = asBangerError(error, "banger");
    tellError(failure, "text", terminal);
    return exitCodeOf(failure);
  }
}

function tellUsageError(
  error: CommanderError,
  root: CommandSpec,
  args: readonly string[],
  terminal: Terminal,
): void {
  const usage = usageErrorOf(error);
  if (usage === undefined) return;
  const { commands, hint } = elsewhere(root, args, error);
  const see = usage.meant ?? `See \`${commandAt(root, args).path} --help\`.`;
  const told = { hint: hint ?? (commands.length === 0 ? see : undefined), commands };
  const columns = columnsOf(terminal, "stderr");
  showLines(terminal, "stderr", usageLines(usage.message, told, stderrColour(terminal), columns));
}
