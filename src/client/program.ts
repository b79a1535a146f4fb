import { Command } from "commander";
import { addCacheCommands } from "./commands/cache.ts";
import { addCompletionCommands } from "./commands/completion.ts";
import { addDaemonCommands } from "./commands/daemon.ts";
import { addImageCommands } from "./commands/image.ts";
import { addKernelCommands } from "./commands/kernel.ts";
import { addPullCommands } from "./commands/pull.ts";
import { exampleText } from "./examples.ts";
import { suggestChoices } from "./misspelled.ts";
import { tellNoUsageErrors } from "../service/usage-error.ts";
import type { Terminal } from "./terminal.ts";
import type { RunSession } from "./session.ts";
import { packageVersion } from "../base/version.ts";

const epilogue = `
Where no daemon runs on the default socket, banger starts one for its own call.
Each command has its own --help; \`man banger\` has all of them where it is installed.
Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 cannot reach the daemon, 130 interrupted.`;

/** The command line, from which help and usage errors come. Usage errors are thrown as CommanderError. */
export function buildProgram(terminal: Terminal, run: RunSession): Command {
  const program = new Command("banger");
  program
    .description("Turns an OCI image into an ext4 root file system that a microVM boots.")
    .version(packageVersion(), "-V, --version")
    .option("--socket <path>", "the daemon's socket (BANGER_SOCKET)")
    .option("--state-dir <folder>", "where images live (BANGER_STATE_DIR)")
    .option("--cache-dir <folder>", "where downloads live (BANGER_CACHE_DIR)")
    .option("--config <file>", "the daemon's config (BANGER_CONFIG)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    });
  tellNoUsageErrors(program);
  addImageCommands(program, run, terminal.folder);
  addPullCommands(program, run);
  addKernelCommands(program, run, terminal.folder);
  addCacheCommands(program, run);
  addDaemonCommands(program, run);
  addCompletionCommands(program, run, terminal);
  suggestChoices(program);
  showExamples(program, []);
  return program.addHelpText("after", epilogue);
}

/** Help of every command ends with how it is used. */
function showExamples(command: Command, parents: readonly string[]): void {
  const path = [...parents, command.name()];
  command.addHelpText("after", () => exampleText(path.join(" ")));
  for (const sub of command.commands) showExamples(sub, path);
}
