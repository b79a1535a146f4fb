import { BangerError } from "../base/error.ts";
import { parseJson } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { readAtMost } from "../base/read-at-most.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import { addressKind } from "./address.ts";
import type { Challenge } from "./challenge.ts";
import { basicAuthorization, identityUser, type Credentials } from "./credentials.ts";
import { statusError, type Asked } from "./error-body.ts";
import type { HttpResponse } from "./response.ts";
import type { Transport } from "./transport.ts";

const op = "fetch token";

/** A token as the distribution token specification has it. */
export interface BearerToken {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** What takes the identity token's place from now on, where the server says so. */
  readonly refreshToken?: string;
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
  /** One, or several with spaces between them. */
  readonly scope: string;
  /** Anonymous where undefined. */
  readonly credentials: Exclude<Credentials, { kind: "token" }> | undefined;
}

/** What asking for a token takes. */
export interface TokenContext {
  readonly transport: Transport;
  readonly limits: Limits;
  readonly now: () => number;
}

/**
 * Asks a token server for a token: by GET, with Basic authentication where there are credentials; with an identity
 * token by POST, as OAuth 2 has it, or by GET where the server knows no POST.
 *
 * @throws BangerError REGISTRY_AUTH where it refuses, REGISTRY_PROTOCOL where it answers nonsense, and those of the
 *   transport
 */
export async function fetchToken(
  request: TokenRequest,
  context: TokenContext,
  options: SourceOptions,
): Promise<BearerToken> {
  const { credentials } = request;
  if (credentials?.kind !== "identity") return await getToken(request, credentials, context, options);
  const token = await postForToken(request, credentials.token, context, options);
  if (token !== undefined) return token;
  const { username, token: password } = credentials;
  return await getToken(request, { username, password }, context, options);
}

/** distribution's docs/spec/auth/token.md: each scope is a parameter of its own. */
async function getToken(
  request: TokenRequest,
  user: { readonly username: string; readonly password: string } | undefined,
  context: TokenContext,
  options: SourceOptions,
): Promise<BearerToken> {
  const url = new URL(request.realm);
  if (request.service !== undefined) url.searchParams.set("service", request.service);
  for (const scope of request.scope.split(/\s+/)) url.searchParams.append("scope", scope);
  if (user !== undefined && user.username !== identityUser) url.searchParams.set("account", user.username);
  const authorization = user === undefined ? undefined : basicAuthorization(user.username, user.password);
  const asked = askedFor(request);
  return await context.transport.send({ url, authorization, ...asked }, options, (response) =>
    readToken(response, asked, context),
  );
}

/** docs/spec/auth/oauth.md. Undefined where the server has no such endpoint: GCR says 404, others 405. */
async function postForToken(
  request: TokenRequest,
  refreshToken: string,
  context: TokenContext,
  options: SourceOptions,
): Promise<BearerToken | undefined> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: "banger",
    scope: request.scope,
    refresh_token: refreshToken,
    ...(request.service === undefined ? {} : { service: request.service }),
  });
  const asked = askedFor(request);
  return await context.transport.send({ url: request.realm, form, ...asked }, options, async (response) => {
    if (response.status !== 404 && response.status !== 405) return await readToken(response, asked, context);
    response.discard();
    return undefined;
  });
}

function askedFor({ scope }: TokenRequest): Asked {
  return { subject: `token for ${scope}`, op };
}

async function readToken(
  response: HttpResponse,
  asked: Asked,
  { limits, now }: TokenContext,
): Promise<BearerToken> {
  if (response.status !== 200) throw await statusError(response, asked, limits, now());
  const { bytes, cut } = await readAtMost(response.body(), limits.tokenBytes);
  const { host } = response.url;
  if (!cut) return parseToken(bytes, host, now());
  throw new BangerError("REGISTRY_PROTOCOL", `token server ${host} sent more than a token`, { op });
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
  const refreshToken = root.at("refresh_token").optionalText() ?? "";
  return { value, expiresAt: from + lifeMs, ...(refreshToken === "" ? {} : { refreshToken }) };
}
