import type { LookupFunction } from "node:net";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { Agent, ProxyAgent, type Dispatcher } from "undici";
import { BangerError, messageOf } from "../base/error.ts";
import { addressKind } from "./address.ts";
import { guardedLookup, noticingLookup } from "./guarded-lookup.ts";
import { proxyFor, type ProxyRules } from "./proxy.ts";

/** How one host's certificates are judged, and what it is shown. */
export interface TlsSettings {
  /** PEM certificates trusted besides the system's. */
  readonly extraCa: readonly string[];
  /** PEM certificates and their keys. */
  readonly client: readonly { readonly cert: string; readonly key: string }[];
  readonly skipVerify: boolean;
  /** The file that says so, for errors. */
  readonly from: string;
}

export interface ConnectionOptions {
  /** Host and port that client certificates and `skipVerify` are for; any other host gets neither. */
  readonly host: string;
  readonly tls: TlsSettings | undefined;
  /** PEM certificates trusted in place of the system's. */
  readonly ca: string | undefined;
  readonly proxies: ProxyRules | undefined;
  /** Milliseconds until a connection is up. */
  readonly dialTimeoutMs: number;
}

/** Connections to a registry's host, and to where it sends us. Owns them; disposing ends them all. */
export class Connections implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  readonly #host: string;
  readonly #open = new Map<string, Dispatcher>();
  #isLocal: boolean;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { host, hostname } = new URL(`https://${options.host}`);
    this.#host = host;
    this.#isLocal = addressKind(hostname) === "loopback";
  }

  /** @throws BangerError CONFIG_INVALID for certificates that are none */
  to(url: URL): Dispatcher {
    const own = url.host === this.#host;
    const proxy = this.proxyFor(url);
    const secure = url.protocol === "https:" || proxy?.protocol === "https:";
    const key = `${own} ${secure} ${proxy?.href ?? ""}`;
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const made = this.#make(own, secure, proxy);
    this.#open.set(key, made);
    return made;
  }

  proxyFor(url: URL): URL | undefined {
    const { proxies } = this.#options;
    return proxies === undefined ? undefined : proxyFor(url, proxies);
  }

  #make(own: boolean, secure: boolean, proxy: URL | undefined): Dispatcher {
    // Our own timers bound these, to the millisecond and with errors of ours.
    const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
    const timeout = this.#options.dialTimeoutMs;
    const tls = secure ? this.#tls(own) : {};
    if (proxy === undefined) {
      return new Agent({ ...timeouts, connect: { timeout, lookup: this.#lookup(own), ...tls } });
    }
    const proxyTls = secure ? { secureContext: systemTrust() } : {};
    return new ProxyAgent({
      ...timeouts,
      uri: proxy.href,
      connectTimeout: timeout,
      requestTls: tls,
      proxyTls,
    });
  }

  /** Where there is a proxy, it looks names up. */
  #lookup(own: boolean): LookupFunction {
    if (!own) return guardedLookup(() => this.#isLocal);
    return noticingLookup(() => {
      this.#isLocal = true;
    });
  }

  #tls(own: boolean): { readonly secureContext: SecureContext; readonly rejectUnauthorized: boolean } {
    const { tls, ca } = this.#options;
    const rejectUnauthorized = !(own && tls?.skipVerify === true);
    const client = own ? (tls?.client ?? []) : [];
    const extraCa = tls?.extraCa ?? [];
    if (ca === undefined && extraCa.length === 0 && client.length === 0) {
      return { secureContext: systemTrust(), rejectUnauthorized };
    }
    try {
      const secureContext = createSecureContext({
        ca: [...(ca === undefined ? systemRoots() : [ca]), ...extraCa],
        cert: client.map(({ cert }) => cert),
        key: client.map(({ key }) => key),
      });
      return { secureContext, rejectUnauthorized };
    } catch (error) {
      const where = tls?.from ?? "the certificates given";
      const message = `${where} names certificates or keys that can't be used (${messageOf(error)})`;
      throw new BangerError("CONFIG_INVALID", message, { op: "read certificates", cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map((dispatcher) => dispatcher.destroy()));
  }
}

let roots: readonly string[] | undefined;
let trust: SecureContext | undefined;

/** What Node brings and what the system trusts: a company's own authority is in the latter alone. */
function systemRoots(): readonly string[] {
  roots ??= [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
  return roots;
}

/** Made once: parsing hundreds of certificates for each connection would take longer than the handshake. */
function systemTrust(): SecureContext {
  trust ??= createSecureContext({ ca: [...systemRoots()] });
  return trust;
}
