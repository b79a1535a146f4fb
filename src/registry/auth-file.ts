import { BangerError } from "../base/error.ts";
import { parseJson, type JsonNode } from "../base/json.ts";
import { hubDomains } from "../oci/reference.ts";
import { credentialsOf, identityUser, type Credentials } from "./credentials.ts";

const op = "read auth file";

/** Docker's `config.json`, or containers' `auth.json`, which has the same form: containers-auth.json(5). */
export interface AuthFile {
  readonly path: string;
  /** Credentials by what they are for: a host, or a host and the start of a repository's path. */
  readonly auths: ReadonlyMap<string, Credentials>;
  /** Names of helper programs, by the same keys. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper for all other hosts. */
  readonly store: string | undefined;
}

/**
 * Parses an auth file. Neither messages nor causes of its errors quote any of its values.
 *
 * @throws BangerError CONFIG_INVALID, naming the file
 */
export function parseAuthFile(bytes: Uint8Array, path: string): AuthFile {
  try {
    const root = parseJson(bytes, { reason: "CONFIG_INVALID", op, subject: `the auth file ${path}` });
    return {
      path,
      auths: keyed(root.at("auths"), parseEntry),
      helpers: keyed(root.at("credHelpers"), (node) => helperName(node)),
      store: helperName(root.at("credsStore")),
    };
  } catch (error) {
    if (!(error instanceof BangerError)) throw error;
    // Without its cause: V8's syntax errors quote the text around the fault, which here is secret.
    const hint = "Correct the file, or remove it and log in again.";
    throw new BangerError(error.reason, error.message, { op, hint, facts: { path } });
  }
}

/** A key in the form that is looked up wins over one that has to be brought into it. */
function keyed<T>(node: JsonNode, parse: (node: JsonNode) => T | undefined): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  const exact = new Set<string>();
  for (const key of node.keys()) {
    const value = parse(node.at(key));
    const scope = normalScope(key);
    if (value === undefined || exact.has(scope)) continue;
    if (scope === key) exact.add(scope);
    else if (found.has(scope)) continue;
    found.set(scope, value);
  }
  return found;
}

/**
 * What a key of an auth file is for. Docker writes hosts, and for its own registry `https://index.docker.io/v1/`;
 * older files have URLs for all of them. Without a scheme, containers takes a path for a repository's.
 */
function normalScope(key: string): string {
  const bare = key.replace(/^https?:\/\//i, "");
  const slash = bare.indexOf("/");
  const host = (slash < 0 ? bare : bare.slice(0, slash)).toLowerCase();
  const rest = slash < 0 ? "" : bare.slice(slash).replace(/\/+$/, "");
  const path = bare !== key || /^\/v[12]$/.test(rest) ? "" : rest;
  return `${hubDomains.has(host) ? "docker.io" : host}${path}`;
}

/** The keys to look for, the longest first: `h/a/b`, `h/a`, `h`. */
export function scopesOf(domain: string, path: string): readonly string[] {
  const parts = path.split("/");
  const host = normalScope(domain);
  return [...parts.map((_, at) => [host, ...parts.slice(0, parts.length - at)].join("/")), host];
}

/** The first of the keys that a map has. */
export function longestMatch<T>(map: ReadonlyMap<string, T>, scopes: readonly string[]): T | undefined {
  for (const scope of scopes) {
    const value = map.get(scope);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** An entry of `auths`; Docker leaves empty ones where a helper has the secret. */
function parseEntry(node: JsonNode): Credentials | undefined {
  const registryToken = node.at("registrytoken").optionalText() ?? "";
  if (registryToken !== "") return { kind: "token", token: registryToken };
  const auth = parseAuth(node.at("auth"));
  const username = auth?.username ?? node.at("username").optionalText() ?? "";
  const identity = node.at("identitytoken").optionalText() ?? "";
  if (identity !== "") return { kind: "identity", username: username || identityUser, token: identity };
  return credentialsOf(username, auth?.password ?? node.at("password").optionalText() ?? "");
}

/** Base64 of `user:password`, padded or not; Docker on Windows pads the password with zeros. */
function parseAuth(node: JsonNode): { readonly username: string; readonly password: string } | undefined {
  const text = node.optionalText() ?? "";
  if (text === "") return undefined;
  const decoded = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64").toString("utf8") : "";
  const colon = decoded.indexOf(":");
  if (colon < 0) return node.fail("is not base64 of user:password");
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, "") };
}

/** It becomes part of a program's name, so that it must not lead elsewhere. */
function helperName(node: JsonNode): string | undefined {
  const name = node.optionalText() ?? "";
  if (name === "") return undefined;
  return /^[A-Za-z0-9_-]{1,100}$/.test(name) ? name : node.fail("is not the name of a credential helper");
}
