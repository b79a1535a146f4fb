import { BangerError, hasReason } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { Clock } from "../base/retry.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import { parseChallenges, type Challenge } from "./challenge.ts";
import { basicAuthorization, type Credentials } from "./credentials.ts";
import { fetchToken, realmOf } from "./token.ts";
import type { Transport } from "./transport.ts";

const op = "authenticate";

const logIn = "Log in with docker, podman or skopeo as the daemon's user, or give --creds-file.";

const logInAgain = "Log in again, or correct the credentials given with the pull.";
/** A token this near its end is renewed before it is used. */
const renewBeforeMs = 5_000;

interface Grant {
  /** Value of the Authorization header. */
  readonly header: string;
  readonly expiresAt: number;
}

export interface AuthorizerOptions {
  readonly transport: Transport;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Asked once, and not before a server wants credentials: it may run a helper program. */
  readonly findCredentials: (signal: AbortSignal) => Promise<Credentials | undefined>;
  /** Repository's path; with the endpoint that this object belongs to, the key of what it holds. */
  readonly repository: string;
}

/**
 * What one repository of one endpoint wants to see in Authorization headers. Each endpoint and repository has its
 * own, so no token reaches another, and a token is fetched once however many requests wait for it.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  /** Undefined until looked for. */
  #known: { credentials: Credentials | undefined } | undefined;
  #grant: Grant | undefined;
  #challenge: { readonly bearer: Challenge; readonly registry: URL } | undefined;
  #renewing: Promise<Grant> | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The header for a request, as far as is known; a token about to expire is renewed first. */
  async current(options: SourceOptions): Promise<string | undefined> {
    if (this.#grant === undefined) return undefined;
    if (this.#grant.expiresAt - renewBeforeMs > this.#options.clock.now()) return this.#grant.header;
    return await this.#renew(this.#grant.header, options);
  }

  /**
   * A new header after a 401 that came with those WWW-Authenticate headers; `refused` is what was sent.
   *
   * @throws BangerError REGISTRY_AUTH where nothing that we have would do
   */
  async answer(
    wwwAuthenticate: readonly string[],
    refused: string | undefined,
    registry: URL,
    options: SourceOptions,
  ): Promise<string> {
    const challenges = parseChallenges(wwwAuthenticate);
    const { credentials } = await this.#find(options.signal);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined) {
      this.#challenge = { bearer, registry };
      return await this.#renew(refused, options);
    }
    const basic = challenges.some(({ scheme }) => scheme === "basic");
    if (basic && credentials !== undefined && credentials.kind !== "token") {
      const secret = credentials.kind === "basic" ? credentials.password : credentials.token;
      const header = basicAuthorization(credentials.username, secret);
      if (header !== refused) {
        this.#grant = { header, expiresAt: Number.POSITIVE_INFINITY };
        return header;
      }
      throw refusal(registry, "does not accept the credentials", logInAgain);
    }
    if (basic) throw refusal(registry, "wants a user name and password", logIn);
    const schemes = challenges.map(({ scheme }) => JSON.stringify(scheme)).join(", ");
    throw refusal(registry, `offers no way to authenticate that we know (${schemes || "none at all"})`);
  }

  /** Whoever comes while a token is on its way waits for that one. */
  async #renew(refused: string | undefined, options: SourceOptions): Promise<string> {
    for (;;) {
      if (this.#grant !== undefined && this.#grant.header !== refused) return this.#grant.header;
      this.#renewing ??= this.#fetch(refused, options).finally(() => {
        this.#renewing = undefined;
      });
      try {
        this.#grant = await this.#renewing;
        return this.#grant.header;
      } catch (error) {
        // The one who asked for it was cancelled, not we.
        if (!hasReason(error, "CANCELLED") || options.signal.aborted) throw error;
      }
    }
  }

  async #find(signal: AbortSignal): Promise<{ credentials: Credentials | undefined }> {
    this.#known ??= { credentials: await this.#options.findCredentials(signal) };
    return this.#known;
  }

  async #fetch(refused: string | undefined, options: SourceOptions): Promise<Grant> {
    const { transport, limits, clock, repository } = this.#options;
    const known = await this.#find(options.signal);
    const { credentials } = known;
    const challenge = this.#challenge;
    if (challenge === undefined) throw new BangerError("INTERNAL", "there is no challenge to answer", { op });
    const { bearer, registry } = challenge;
    if (credentials?.kind === "token") {
      const header = `Bearer ${credentials.token}`;
      if (header === refused) throw refusal(registry, "does not accept the token", logInAgain);
      return { header, expiresAt: Number.POSITIVE_INFINITY };
    }
    const request = {
      realm: realmOf(bearer, registry),
      service: bearer.parameters.get("service"),
      // What the registry says it wants; some name a repository otherwise than the URL does.
      scope: bearer.parameters.get("scope") || `repository:${repository}:pull`,
      credentials,
    };
    const token = await fetchToken(request, { transport, limits, now: () => clock.now() }, options);
    if (credentials?.kind === "identity" && token.refreshToken !== undefined) {
      known.credentials = { ...credentials, token: token.refreshToken };
    }
    return { header: `Bearer ${token.value}`, expiresAt: token.expiresAt };
  }
}

function refusal(registry: URL, what: string, hint?: string): BangerError {
  return new BangerError("REGISTRY_AUTH", `registry ${registry.host} ${what}`, {
    op,
    facts: { httpStatus: "401" },
    ...(hint === undefined ? {} : { hint }),
  });
}
