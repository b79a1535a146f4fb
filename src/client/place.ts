import { homedir } from "node:os";
import { hasReason } from "../base/error.ts";
import { readWhatIsRight } from "../service/config.ts";
import { locatePaths, resolvePaths, type DaemonPaths, type Surroundings } from "../service/paths.ts";
import type { Terminal } from "./terminal.ts";

/** The flags before a command that say which daemon, and where an embedded one would keep its things. */
export interface PlaceFlags {
  readonly socket?: string;
  readonly stateDir?: string;
  readonly cacheDir?: string;
  readonly config?: string;
}

/**
 * Where the daemon is. A wrong config does not matter where the socket is named: whoever mends it can still talk to the
 * daemon.
 *
 * @throws BangerError CONFIG_INVALID.
 */
export function daemonPlace(flags: PlaceFlags, { env, folder }: Terminal): DaemonPaths {
  const surroundings = surroundingsOf(env, folder);
  try {
    return locatePaths(flags, surroundings);
  } catch (error) {
    const plain = resolvePaths(flags, surroundings);
    if (plain.socketNamed && hasReason(error, "CONFIG_INVALID")) return plain;
    throw error;
  }
}

/** Where it is by all that a wrong config says rightly: for one who asks what is wrong. */
export function likelyPlace(flags: PlaceFlags, { env, folder }: Terminal): DaemonPaths {
  return locatePaths(flags, surroundingsOf(env, folder), readWhatIsRight);
}

function surroundingsOf(env: Terminal["env"], folder: string): Surroundings {
  return { env, home: homedir(), folder };
}
