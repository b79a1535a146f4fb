import type { TlsSettings } from "./connections.ts";
import { endpointOf, type Endpoint } from "./endpoint.ts";

/** A host that serves a registry's repositories, and how: the registry itself, or a mirror of it. */
export interface Place {
  readonly endpoint: Endpoint;
  /** Where its API begins, with a slash at the end, where a hosts.toml says so; otherwise it is found out. */
  readonly api: URL | undefined;
  /** Sent as `ns`, so that a mirror of several registries knows which one is meant. */
  readonly namespace: string | undefined;
  /** Whether it may be asked what a tag means. */
  readonly mayResolve: boolean;
  /** Whether it may be asked for content by its digest. */
  readonly mayPull: boolean;
  /** Sent to this host alone. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsSettings | undefined;
  /** Milliseconds until a connection is up, where a hosts.toml says so. */
  readonly dialTimeoutMs: number | undefined;
}

/** The registry itself, where nothing is configured for it. */
export function upstreamPlace(domain: string, plainHttpHosts: readonly string[] | undefined): Place {
  return {
    endpoint: endpointOf(domain, plainHttpHosts),
    api: undefined,
    namespace: undefined,
    mayResolve: true,
    mayPull: true,
    headers: {},
    tls: undefined,
    dialTimeoutMs: undefined,
  };
}
