import { Command } from "commander";
import { packageVersion } from "../base/version.ts";
import { tellNoUsageErrors } from "./usage-error.ts";

const epilogue = `
Examples:
  # on your own socket, with images in ~/.local/state/banger; \`banger\` finds it there
  bangerd
  # a second one, beside it
  bangerd --state-dir /tmp/try/state --cache-dir /tmp/try/cache --socket /tmp/try/d.sock
  # what it keeps where, and what it lacks, whether it runs or not
  banger daemon status

SIGTERM or Ctrl-C stops it, and its pulls; SIGHUP has it read its config again. Its log is on stderr.
Exit codes: 0 stopped, 1 failed, 2 usage.`;

/** What `bangerd` may be told. Usage errors are thrown as CommanderError. */
export function bangerdCommand(): Command {
  const command = new Command("bangerd")
    .description("Turns OCI images into root file systems that a microVM boots, and serves them over gRPC.")
    .version(packageVersion(), "-V, --version")
    .option("--state-dir <folder>", "where images live (BANGER_STATE_DIR)")
    .option("--cache-dir <folder>", "where downloads live (BANGER_CACHE_DIR)")
    .option("--socket <path>", "where to serve (BANGER_SOCKET)")
    .option("--config <file>", "the config to read (BANGER_CONFIG)")
    .option("--system", "use the paths of a system install: /var/lib/banger, /run/banger")
    .allowExcessArguments(false)
    .exitOverride();
  command.addHelpText("after", epilogue);
  return tellNoUsageErrors(command);
}
