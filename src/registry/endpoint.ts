import { connect } from "node:tls";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import { addressKind } from "./address.ts";

/** A server that serves a registry's repositories: the registry itself, or a mirror of it. */
export interface Endpoint {
  /** Host, and port where it is not HTTPS's. */
  readonly host: string;
  /** Whether plain HTTP may be spoken where the server has no TLS. */
  readonly mayBePlain: boolean;
}

/** Docker Hub's registry is served by another host than the one that names it. */
const hubDomain = "docker.io";
const hubHost = "registry-1.docker.io";

/**
 * Where a reference's domain is served. Plain HTTP is for this machine's own registries alone, or where the user
 * said so by name.
 */
export function endpointOf(domain: string, plainHttpHosts: readonly string[] = []): Endpoint {
  const host = domain === hubDomain ? hubHost : domain;
  const { hostname } = new URL(`https://${host}`);
  return { host, mayBePlain: addressKind(hostname) === "loopback" || plainHttpHosts.includes(domain) };
}

/**
 * The endpoint's base URL. TLS comes first even where plain HTTP would be allowed: a handshake is tried, and only
 * a server that answers it as no TLS server does is spoken to in the clear. A certificate that fails later is an
 * error, and never a reason for plain HTTP.
 *
 * @throws BangerError REGISTRY_UNAVAILABLE where it neither answers nor refuses, CANCELLED
 */
export async function baseUrlOf(endpoint: Endpoint, timeoutMs: number, signal: AbortSignal): Promise<URL> {
  const secure = new URL(`https://${endpoint.host}/`);
  if (!endpoint.mayBePlain) return secure;
  return (await speaksTls(secure, timeoutMs, signal)) ? secure : new URL(`http://${endpoint.host}/`);
}

function speaksTls(url: URL, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? 443 : Number(url.port);
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(asBangerError(signal.reason, "connect"));
    // Only whether it is TLS counts here: nothing is sent, and the connection that is used checks certificates.
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: timeoutMs });
    const end = (): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
    };
    const onAbort = (): void => {
      end();
      reject(asBangerError(signal.reason, "connect"));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("secureConnect", () => {
      end();
      resolve(true);
    });
    socket.once("timeout", () => {
      end();
      reject(unreachable(url, "does not answer"));
    });
    socket.on("error", (error) => {
      end();
      if (isPlainAnswer(error, url)) resolve(false);
      else if (isTlsAnswer(error)) resolve(true);
      else reject(unreachable(url, `can't be reached (${errnoOf(error) ?? "unknown"})`, error));
    });
  });
}

/** It spoke HTTP, hung up on the handshake, or has nothing on HTTPS's own port while HTTP has another. */
function isPlainAnswer(error: Error, url: URL): boolean {
  const code = errnoOf(error) ?? "";
  if (code === "ECONNREFUSED") return url.port === "";
  const notTls = ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG", "ERR_SSL_HTTP_REQUEST"];
  return code === "ECONNRESET" || code === "EPROTO" || notTls.includes(code);
}

/** Any other complaint of the TLS layer is about a TLS server: that it is one is settled. */
function isTlsAnswer(error: Error): boolean {
  return (errnoOf(error) ?? "").startsWith("ERR_SSL_");
}

function unreachable(url: URL, problem: string, cause?: unknown): BangerError {
  return new BangerError("REGISTRY_UNAVAILABLE", `registry ${url.host} ${problem}`, {
    op: "connect",
    hint: "Check that the registry runs, and on that port.",
    cause,
  });
}
