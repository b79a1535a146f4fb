import { AuthLookup, type AuthSurroundings } from "./auth-lookup.ts";
import type { RegistryAccess } from "./open-source.ts";
import { proxyRules } from "./proxy.ts";
import { SharedDocuments } from "./shared-documents.ts";

/** What a program's surroundings say of how registries are reached: auth files, proxies and hosts.toml files. */
export function registryAccess(
  surroundings: AuthSurroundings,
  certsDirs: readonly string[],
  userAgent: string,
): RegistryAccess {
  return {
    credentialFinder: new AuthLookup(surroundings),
    certsDirs,
    // Read for each pull: a proxy that can't be used is no reason not to start.
    proxies: () => proxyRules(surroundings.env),
    userAgent,
    documents: new SharedDocuments(),
  };
}
