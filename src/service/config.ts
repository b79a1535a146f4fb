import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { BangerError } from "../base/error.ts";
import { existsSync } from "node:fs";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { GuestSources } from "../guest/assets.ts";
import { packageVersion } from "../base/version.ts";
import type { DaemonPaths } from "./paths.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** All that a daemon is told; nothing of it changes while it runs. */
export interface DaemonConfig {
  readonly paths: DaemonPaths;
  readonly limits: Limits;
  /** Where builds stage, `$TMPDIR`. */
  readonly tempDir: string;
  readonly version: string;
  readonly guest: GuestSources;
}

/** What the environment says besides the paths; relative names start at the working folder. */
function guestSources(env: Environment): GuestSources {
  const named = (variable: string): string | undefined =>
    env[variable] === undefined || env[variable] === "" ? undefined : resolve(env[variable]);
  return { agentPath: named("BANGER_AGENT"), assetsDir: named("BANGER_GUEST_ASSETS") };
}

/**
 * @throws BangerError CONFIG_INVALID where a config file was asked for that is not there, and NOT_IMPLEMENTED
 *   where there is one: what it says would go unheard.
 */
export function loadConfig(paths: DaemonPaths, env: Environment = process.env): DaemonConfig {
  const { configPath, configNamed } = paths;
  const exists = existsSync(configPath);
  if (configNamed && !exists) {
    throw new BangerError("CONFIG_INVALID", `there is no config file ${configPath}`, {
      op: "read config",
      hint: "Check --config and BANGER_CONFIG.",
    });
  }
  if (exists) {
    throw new BangerError("NOT_IMPLEMENTED", `the config file ${configPath} can't be read by this version`, {
      op: "read config",
      hint: "Move it away and use flags: what it says would go unheard.",
    });
  }
  const guest = guestSources(env);
  return { paths, limits: defaultLimits, tempDir: tmpdir(), version: packageVersion(), guest };
}
