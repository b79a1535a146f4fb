import { BangerError } from "../base/error.ts";
import { parseJson } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import { addressKind } from "./address.ts";
import type { Challenge } from "./challenge.ts";
import { basicAuthorization, type Credentials } from "./credentials.ts";
import { statusError } from "./error-body.ts";
import { readAtMost } from "./response.ts";
import type { Transport } from "./transport.ts";

const op = "fetch token";

/** A token as the distribution token specification has it. */
export interface BearerToken {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The specification's default life, for servers that give none. */
const defaultLifeMs = 60_000;

/**
 * The token server that a challenge names, if it may be asked: over HTTPS, or in the clear only by a registry that
 * is spoken to in the clear itself; on a loopback, link-local or private address only where that is the registry's
 * own host and port. A relative realm is the registry's own.
 *
 * @throws BangerError REGISTRY_PROTOCOL
 */
export function realmOf(challenge: Challenge, registry: URL): URL {
  const refuse = (why: string): never => {
    throw new BangerError("REGISTRY_PROTOCOL", `registry ${registry.host} names a token server ${why}`, {
      op,
    });
  };
  const text = challenge.parameters.get("realm") ?? "";
  if (text === "" || !URL.canParse(text, registry)) return refuse("that is no URL");
  const realm = new URL(text, registry);
  if (realm.username !== "" || realm.password !== "") return refuse("with credentials in its URL");
  const ours = realm.host === registry.host;
  if (realm.protocol !== "https:" && !(realm.protocol === "http:" && registry.protocol === "http:" && ours)) {
    return refuse("that is not reached over HTTPS");
  }
  const kind = addressKind(realm.hostname);
  if (!ours && kind !== "name" && kind !== "public")
    return refuse(`on the internal address ${realm.hostname}`);
  return realm;
}

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scope: string;
  /** Anonymous where undefined. */
  readonly credentials: Extract<Credentials, { kind: "basic" }> | undefined;
}

/**
 * Asks a token server for a token, by GET.
 *
 * @throws BangerError REGISTRY_AUTH where it refuses, REGISTRY_PROTOCOL where it answers nonsense, and those of the
 *   transport
 */
export async function fetchToken(
  request: TokenRequest,
  transport: Transport,
  options: SourceOptions,
  limits: Limits,
  now: () => number,
): Promise<BearerToken> {
  const url = new URL(request.realm);
  if (request.service !== undefined) url.searchParams.set("service", request.service);
  url.searchParams.set("scope", request.scope);
  const { credentials } = request;
  if (credentials !== undefined) url.searchParams.set("account", credentials.username);
  const authorization =
    credentials === undefined ? undefined : basicAuthorization(credentials.username, credentials.password);
  const asked = { subject: `token for ${request.scope}`, op };
  return await transport.get({ url, authorization, ...asked }, options, async (response) => {
    if (response.status !== 200) throw await statusError(response, asked, limits, now());
    const { bytes, cut } = await readAtMost(response.body(), limits.tokenBytes);
    if (!cut) return parseToken(bytes, url.host, now());
    throw new BangerError("REGISTRY_PROTOCOL", `token server ${url.host} sent more than a token`, { op });
  });
}

/** `token` and `access_token` are the same to us, as the specification asks. */
export function parseToken(bytes: Uint8Array, host: string, now: number): BearerToken {
  const subject = `the answer of token server ${host}`;
  const root = parseJson(bytes, { reason: "REGISTRY_PROTOCOL", op, subject });
  const value = root.at("token").optionalText() || root.at("access_token").optionalText() || "";
  // RFC 6750's b64token and a little more; no white space, so that it stays one header value.
  if (!/^[\x21-\x7e]+$/.test(value)) root.fail("has no usable token");
  const life = root.at("expires_in").optionalNatural();
  const lifeMs = life === undefined || life === 0 ? defaultLifeMs : life * 1000;
  const issued = Date.parse(root.at("issued_at").optionalText() ?? "");
  // A clock that runs ahead of ours must not make a token last longer than it was given.
  const from = Number.isNaN(issued) ? now : Math.min(issued, now);
  return { value, expiresAt: from + lifeMs };
}
