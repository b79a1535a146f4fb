import { defaultLimits, type Limits } from "../base/limits.ts";
import { systemClock, type Clock } from "../base/retry.ts";
import type { RegistryAccess } from "./open-source.ts";
import { Transport } from "./transport.ts";

/** How a plain web server is reached: as registries are, but for credentials, which none gets. */
export interface WebOptions extends Pick<RegistryAccess, "proxies" | "userAgent" | "bandwidth"> {
  readonly limits?: Limits;
  readonly clock?: Clock;
  /** PEM certificates trusted in place of the system's. */
  readonly ca?: string;
}

/** Whoever makes it disposes of it. */
export function webTransport(url: URL, options: WebOptions): Transport {
  const { limits = defaultLimits, clock = systemClock, userAgent = "banger", ca, proxies } = options;
  const { dialMs: dialTimeoutMs } = limits;
  const access = { host: url.host, tls: undefined, ca, proxies: proxies?.(), dialTimeoutMs };
  return new Transport({ ...access, limits, clock, userAgent });
}
