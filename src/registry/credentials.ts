/** What a user may prove to a registry. */
export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** A bearer token that is used as it is: `registrytoken` of Docker's auth file. */
  | { readonly kind: "token"; readonly token: string };

/** RFC 7617. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
