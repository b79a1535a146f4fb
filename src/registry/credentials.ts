/** What a user may prove to a registry. */
export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** A bearer token that is used as it is: `registrytoken` of Docker's auth file. */
  | { readonly kind: "token"; readonly token: string }
  /** An OAuth 2 refresh token, for which a token server gives bearer tokens: `identitytoken`. */
  | { readonly kind: "identity"; readonly username: string; readonly token: string };

/** The user name by which Docker's tools say that the password is an identity token. */
export const identityUser = "<token>";

/** Credentials of a user name and a secret, however they came to us; undefined where both are empty. */
export function credentialsOf(username: string, secret: string): Credentials | undefined {
  if (username === "" && secret === "") return undefined;
  if (username === identityUser) return { kind: "identity", username, token: secret };
  return { kind: "basic", username, password: secret };
}

/** RFC 7617. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/** Finds what is known for a registry or a mirror of one. Asked once for each host and repository. */
export interface CredentialFinder {
  /**
   * `domain` as references have it (`docker.io`, `localhost:5000`), `path` the repository's.
   *
   * @throws BangerError CONFIG_INVALID for an auth file that can't be understood, REGISTRY_AUTH where a credential
   *   helper fails, CANCELLED. None of them holds a secret.
   */
  find(domain: string, path: string, signal: AbortSignal): Promise<Credentials | undefined>;
}
