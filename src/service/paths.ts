import { isAbsolute, join, resolve } from "node:path";
import { readConfig } from "../config/read.ts";
import type { Settings } from "../config/settings.ts";

/** Where a daemon keeps its things and answers; all absolute. */
export interface DaemonPaths {
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly socketPath: string;
  readonly configPath: string;
  /** Somebody asked for that config, so that it must be there. */
  readonly configNamed: boolean;
  /** Somebody asked for that socket, so that no other will do. */
  readonly socketNamed: boolean;
  /** Folders with a hosts.toml for each registry: mirrors and certificates. The first that has one decides. */
  readonly certsDirs: readonly string[];
}

/** What the command line says of it. */
export interface PathFlags {
  readonly stateDir?: string | undefined;
  readonly cacheDir?: string | undefined;
  readonly socket?: string | undefined;
  readonly config?: string | undefined;
  /** The paths of a system's install, which are root's. */
  readonly system?: boolean | undefined;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** What relative paths are relative to. */
  readonly folder: string;
}

/**
 * Where a daemon is, by flags, environment and the config file that these lead to.
 *
 * @param read another way to read the file, for one who goes on with a wrong one
 * @throws BangerError CONFIG_INVALID, as `read` does.
 */
export function locatePaths(
  flags: PathFlags,
  surroundings: Surroundings,
  read: typeof readConfig = readConfig,
): DaemonPaths {
  const { configPath, configNamed } = resolvePaths(flags, surroundings);
  return resolvePaths(flags, surroundings, read({ path: configPath, named: configNamed }).settings);
}

/**
 * Flags beat the environment, which beats the config file, which beats the defaults. Pure: nothing is looked up on a
 * disk or made. An empty variable counts as unset, and so does a relative one of XDG's (Base Directory Specification,
 * "Basics").
 */
export function resolvePaths(
  flags: PathFlags,
  { env, home, folder }: Surroundings,
  file?: Pick<Settings, "paths" | "registry">,
): DaemonPaths {
  const named = (flag: string | undefined, variable: string): string | undefined => {
    const text = flag ?? (env[variable] === "" ? undefined : env[variable]);
    return text === undefined ? undefined : resolve(folder, text);
  };
  const defaults = flags.system === true ? systemDefaults : userDefaults(env, home);
  const namedState = named(flags.stateDir, "BANGER_STATE_DIR");
  const stateDir = namedState ?? file?.paths.stateDir ?? defaults.stateDir;
  // Whoever names a state folder means the daemon of that folder: the usual socket would lead to another one's.
  const usualSocket = namedState === undefined ? file?.paths.socket : undefined;
  const runtimeDir = namedState === undefined ? defaults.runtimeDir : undefined;
  const socket = named(flags.socket, "BANGER_SOCKET");
  const config = named(flags.config, "BANGER_CONFIG");
  const certs = named(undefined, "BANGER_CERTS_DIR");
  return {
    stateDir,
    cacheDir: named(flags.cacheDir, "BANGER_CACHE_DIR") ?? file?.paths.cacheDir ?? defaults.cacheDir,
    socketPath: socket ?? usualSocket ?? join(runtimeDir ?? stateDir, "bangerd.sock"),
    configPath: config ?? defaults.configPath,
    configNamed: config !== undefined,
    socketNamed: socket !== undefined,
    certsDirs: certs === undefined ? (file?.registry.certsDirs ?? defaults.certsDirs) : [certs],
  };
}

interface Defaults {
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly configPath: string;
  readonly certsDirs: readonly string[];
  /** Undefined where the system gives the user none. */
  readonly runtimeDir: string | undefined;
}

const systemDefaults: Defaults = {
  stateDir: "/var/lib/banger",
  cacheDir: "/var/cache/banger",
  configPath: "/etc/banger/config.toml",
  certsDirs: ["/etc/banger/certs.d", "/etc/containerd/certs.d"],
  runtimeDir: "/run/banger",
};

function userDefaults(env: Surroundings["env"], home: string): Defaults {
  const xdg = (variable: string): string | undefined => {
    const value = env[variable];
    return value !== undefined && isAbsolute(value) ? join(value, "banger") : undefined;
  };
  const configDir = xdg("XDG_CONFIG_HOME") ?? join(home, ".config", "banger");
  return {
    stateDir: xdg("XDG_STATE_HOME") ?? join(home, ".local", "state", "banger"),
    cacheDir: xdg("XDG_CACHE_HOME") ?? join(home, ".cache", "banger"),
    configPath: join(configDir, "config.toml"),
    certsDirs: [join(configDir, "certs.d")],
    runtimeDir: xdg("XDG_RUNTIME_DIR"),
  };
}
