import { asBangerError, eachOf } from "../base/error.ts";
import { readConfig } from "../config/read.ts";
import type { DaemonConfig } from "./config.ts";
import type { Log } from "./log.ts";

/**
 * Reads the config file again, and has what can change do so. A file that is wrong changes nothing, and neither does
 * one that is gone: both are likelier a mistake than meant. Throws nothing: the log says what came of it.
 */
export function reloadConfig({ paths, live }: DaemonConfig, log: Log): void {
  const { configPath: path, configNamed } = paths;
  try {
    const changes = live.replace(readConfig({ path, named: configNamed || live.found }));
    const keys = (onReload: "applies" | "restart"): readonly string[] =>
      changes.filter((change) => change.onReload === onReload).map(({ key }) => key);
    log.info("read the config again", { path, changed: keys("applies") });
    const waiting = keys("restart");
    if (waiting.length > 0) log.warn("some settings wait for a restart", { settings: waiting });
  } catch (error) {
    for (const { message, hint } of eachOf(asBangerError(error, "reload config"))) {
      log.error("the config is wrong, and stays as it was", { path, error: message, hint });
    }
  }
}
