import { tmpdir } from "node:os";
import { resolve } from "node:path";
import type { Limits } from "../base/limits.ts";
import { packageVersion } from "../base/version.ts";
import { LiveConfig } from "../config/live-config.ts";
import { readConfig } from "../config/read.ts";
import type { GuestSources } from "../guest/assets.ts";
import type { DaemonPaths } from "./paths.ts";

export { readWhatIsRight } from "../config/read.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** All that a daemon is told. */
export interface DaemonConfig {
  /** By flags, environment, file and defaults, in this order. */
  readonly paths: DaemonPaths;
  /** What the config file says, for all but paths. */
  readonly live: LiveConfig;
  /** Those of `live`. */
  readonly limits: Limits;
  /** Where builds stage. */
  readonly tempDir: string;
  readonly version: string;
  readonly guest: GuestSources;
}

/**
 * Reads the config file of those paths, and what the environment says besides them.
 *
 * @param read another way to read the file, for one who goes on with a wrong one
 * @throws BangerError CONFIG_INVALID, as `read` does, where the file is wrong, or was asked for and is not there.
 */
export function loadConfig(
  paths: DaemonPaths,
  env: Environment = process.env,
  read: typeof readConfig = readConfig,
): DaemonConfig {
  const live = new LiveConfig(read({ path: paths.configPath, named: paths.configNamed }));
  return {
    paths,
    live,
    limits: live.limits,
    tempDir: named(env, "TMPDIR") ?? live.settings.paths.tempDir ?? tmpdir(),
    version: packageVersion(),
    guest: { agentPath: named(env, "BANGER_AGENT"), assetsDir: named(env, "BANGER_GUEST_ASSETS") },
  };
}

/** A path out of the environment; a relative one starts at the working folder. */
function named(env: Environment, variable: string): string | undefined {
  const value = env[variable];
  return value === undefined || value === "" ? undefined : resolve(value);
}
