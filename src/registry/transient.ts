import { BangerError, errnoOf, messageOf } from "../base/error.ts";

/**
 * A failure that another try may mend: REGISTRY_UNAVAILABLE or RATE_LIMITED. Outside of this folder it is a
 * BangerError like any other.
 */
export class TransientError extends BangerError {}

/** The statuses that mean "not now": containerd and oras-go retry the same. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status <= 504 && status !== 501);
}

/** System and undici codes that a network has in passing. */
const transientCodes: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
]);

/**
 * How a wrong host or port looks, for which waiting is no help; but also, where the host has answered before, one that
 * is being restarted.
 */
const absentCodes: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOTFOUND"]);

/** OpenSSL's and Node's codes of a handshake that failed, as UNABLE_TO_VERIFY_LEAF_SIGNATURE. */
const certificateCode = /CERT|SIGN|VERIFY|SSL|TLS|HOSTNAME_MISMATCH/;

/** Who could not be reached. */
export interface Unreached {
  readonly host: string;
  /** Whether it has answered an earlier request. */
  readonly answeredBefore: boolean;
  /** The proxy on the way to it. */
  readonly proxy: string | undefined;
}

/** Makes what undici threw before a response was there an error of ours. */
export function connectionError(error: unknown, op: string, unreached: Unreached): BangerError {
  if (error instanceof BangerError) return error;
  const { host, answeredBefore, proxy } = unreached;
  const code = errnoOf(error) ?? "";
  const passing = transientCodes.has(code) || (answeredBefore && absentCodes.has(code));
  const details = { op, cause: error };
  if (proxy !== undefined && !certificateCode.test(code)) {
    const why = code === "" || code.startsWith("UND_ERR_") ? messageOf(error) : code;
    const message = `${host} can't be reached through the proxy ${proxy} (${why})`;
    const hint = "Check HTTP_PROXY and HTTPS_PROXY of the daemon, or name the host in NO_PROXY.";
    const Kind = passing ? TransientError : BangerError;
    return new Kind("REGISTRY_UNAVAILABLE", message, { ...details, hint });
  }
  if (passing) {
    return new TransientError("REGISTRY_UNAVAILABLE", `the connection to ${host} failed (${code})`, details);
  }
  if (code.startsWith("HPE_") || code === "UND_ERR_HEADERS_OVERFLOW") {
    return new BangerError(
      "REGISTRY_PROTOCOL",
      `${host} does not speak HTTP as it should (${code})`,
      details,
    );
  }
  if (certificateCode.test(code)) {
    // Node's own advice is for who starts Node.
    const why = messageOf(error).replace(/; if the root CA is installed locally.*/s, "");
    return new BangerError("REGISTRY_UNAVAILABLE", `no secure connection to ${host}: ${why}`, {
      ...details,
      hint: "Check the registry's certificate; an authority of your own goes into a hosts.toml (docs/registries.md).",
    });
  }
  const why = code === "" ? messageOf(error) : code;
  return new BangerError("REGISTRY_UNAVAILABLE", `${host} can't be reached (${why})`, {
    ...details,
    hint: "Check the registry's name and port, and this machine's network.",
  });
}

/** Milliseconds that a Retry-After asks for, in seconds or as a date (RFC 9110, 10.2.3); undefined for nonsense. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Only HTTP-date's form: Date.parse alone would take "-1" or "2" for dates.
  const at = /^[A-Za-z]{3,9}, .* GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
