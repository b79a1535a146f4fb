import { Command } from "commander";
import { packageVersion } from "../base/version.ts";
import { tellNoUsageErrors } from "./usage-error.ts";

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
  return tellNoUsageErrors(command);
}
