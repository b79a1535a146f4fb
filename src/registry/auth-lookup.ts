import { isAbsolute, join, resolve } from "node:path";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { readSmallFile } from "../base/small-file.ts";
import { longestMatch, parseAuthFile, scopesOf, type AuthFile } from "./auth-file.ts";
import { askHelper, type HelperSurroundings } from "./credential-helper.ts";
import type { CredentialFinder, Credentials } from "./credentials.ts";

const op = "read auth file";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where credentials are looked for. */
export interface AuthSurroundings extends HelperSurroundings {
  readonly home: string;
  readonly limits: Pick<Limits, "authFileBytes" | "credentialHelperBytes" | "credentialHelperMs">;
}

/**
 * Auth files in the order in which they are asked: the first that knows a host decides. `$DOCKER_CONFIG` replaces
 * Docker's own folder, as it does for Docker.
 */
export function authFilePaths(env: Environment, home: string): readonly string[] {
  const named = (variable: string): string | undefined => env[variable] || undefined;
  const file = named("REGISTRY_AUTH_FILE");
  const docker = named("DOCKER_CONFIG");
  const runtime = named("XDG_RUNTIME_DIR");
  const config = named("XDG_CONFIG_HOME");
  return [
    ...(file === undefined ? [] : [resolve(file)]),
    docker === undefined ? join(home, ".docker", "config.json") : join(resolve(docker), "config.json"),
    ...(runtime !== undefined && isAbsolute(runtime) ? [join(runtime, "containers", "auth.json")] : []),
    // Where skopeo and podman keep what survives a reboot.
    join(
      config !== undefined && isAbsolute(config) ? config : join(home, ".config"),
      "containers",
      "auth.json",
    ),
  ];
}

/** Credentials out of auth files and helpers, read anew for each pull, so that a log-in counts at once. */
export class AuthLookup implements CredentialFinder {
  readonly #surroundings: AuthSurroundings;

  constructor(surroundings: AuthSurroundings) {
    this.#surroundings = surroundings;
  }

  async find(domain: string, path: string, signal: AbortSignal): Promise<Credentials | undefined> {
    const { env, home, limits } = this.#surroundings;
    const scopes = scopesOf(domain, path);
    for (const filePath of authFilePaths(env, home)) {
      const file = await readAuthFile(filePath, limits.authFileBytes);
      const found = file === undefined ? undefined : await this.#findIn(file, scopes, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #findIn(
    file: AuthFile,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    const server = serverOf(scopes);
    for (const helper of new Set([longestMatch(file.helpers, scopes), file.store])) {
      if (helper === undefined) continue;
      const found = await askHelper({ helper, server, file: file.path }, this.#surroundings, signal);
      if (found !== undefined) return found;
    }
    return longestMatch(file.auths, scopes);
  }
}

/** What helpers know a registry by; Docker's own has the name that its first version gave it. */
function serverOf(scopes: readonly string[]): string {
  const host = scopes.at(-1) ?? "";
  return host === "docker.io" ? "https://index.docker.io/v1/" : host;
}

/** Undefined where there is no such file; a folder in its place is none either, as for Docker. */
async function readAuthFile(path: string, limit: number): Promise<AuthFile | undefined> {
  try {
    const bytes = await readSmallFile(path, limit);
    if (bytes === "too large")
      throw new BangerError("CONFIG_INVALID", `the auth file ${path} is larger than ${limit} bytes`, { op });
    return bytes === "not a file" || bytes.length === 0 ? undefined : parseAuthFile(bytes, path);
  } catch (error) {
    const code = errnoOf(error) ?? "";
    if (["ENOENT", "ENOTDIR", "EISDIR", "ENXIO"].includes(code)) return undefined;
    if (code === "") throw asBangerError(error, op);
    throw new BangerError("CONFIG_INVALID", `the auth file ${path} can't be read (${code})`, {
      op,
      cause: error,
      hint: "Correct its owner and mode, or name another with REGISTRY_AUTH_FILE.",
    });
  }
}
