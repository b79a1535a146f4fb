import { homedir } from "node:os";
import { locatePaths, type DaemonPaths } from "../service/paths.ts";
import type { Terminal } from "./terminal.ts";

/** The flags before a command that say which daemon, and where an embedded one would keep its things. */
export interface PlaceFlags {
  readonly socket?: string;
  readonly stateDir?: string;
  readonly cacheDir?: string;
  readonly config?: string;
}

export function daemonPlace(flags: PlaceFlags, { env, folder }: Terminal): DaemonPaths {
  return locatePaths(flags, { env, home: homedir(), folder });
}
