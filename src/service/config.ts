import { tmpdir } from "node:os";
import { BangerError } from "../base/error.ts";
import { existsSync } from "node:fs";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { packageVersion } from "../base/version.ts";
import type { DaemonPaths } from "./paths.ts";

/** All that a daemon is told; nothing of it changes while it runs. */
export interface DaemonConfig {
  readonly paths: DaemonPaths;
  readonly limits: Limits;
  /** Where builds stage, `$TMPDIR`. */
  readonly tempDir: string;
  readonly version: string;
}

/**
 * @throws BangerError CONFIG_INVALID where a config file was asked for that is not there, and NOT_IMPLEMENTED
 *   where there is one: what it says would go unheard.
 */
export function loadConfig(paths: DaemonPaths): DaemonConfig {
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
  return { paths, limits: defaultLimits, tempDir: tmpdir(), version: packageVersion() };
}
