import { parse } from "smol-toml";
import { BangerError } from "../base/error.ts";
import { JsonNode } from "../base/json.ts";
import { parseGoDuration } from "./go-duration.ts";

const op = "read hosts.toml";

/** containerd's docs/hosts.md: what it says of one server. Files are named, not read. */
export interface HostSettings {
  /** As written, without a scheme or with one; undefined for the registry's own settings. */
  readonly server: string | undefined;
  readonly mayResolve: boolean;
  readonly mayPull: boolean;
  readonly caFiles: readonly string[];
  readonly clientFiles: readonly { readonly cert: string; readonly key: string }[];
  readonly skipVerify: boolean;
  readonly overridePath: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds until a connection is up. */
  readonly dialTimeoutMs: number | undefined;
}

/** In the order in which they are asked; the last is the registry itself. */
export type HostsFile = readonly HostSettings[];

const knownKeys: ReadonlySet<string> = new Set([
  "server",
  "host",
  "capabilities",
  "ca",
  "client",
  "skip_verify",
  "override_path",
  "header",
  "dial_timeout",
]);
const capabilities: ReadonlySet<string> = new Set(["pull", "resolve", "push", "referrers"]);

/**
 * Parses a hosts.toml. What it doesn't know it refuses: a setting left out could send credentials, or trust, astray.
 *
 * @throws BangerError CONFIG_INVALID, naming the file
 */
export function parseHostsFile(text: string, path: string): HostsFile {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    // The first line says what is wrong; the rest quotes the file, whose headers may be secret.
    const [what = ""] = (error instanceof Error ? error.message : "").split("\n");
    throw new BangerError("CONFIG_INVALID", `${path} is not TOML (${what})`, { op });
  }
  const root = new JsonNode(value, "", { reason: "CONFIG_INVALID", op, subject: path });
  const hosts = root.at("host");
  return [
    ...hosts.keys().map((server) => parseSettings(hosts.at(server), server)),
    parseSettings(root, root.at("server").optionalText() || undefined),
  ];
}

function parseSettings(node: JsonNode, server: string | undefined): HostSettings {
  for (const key of node.keys()) if (!knownKeys.has(key)) node.at(key).fail("is no setting that is known");
  if (server !== undefined && serverUrl(server) === undefined) node.fail("names a server that is no URL");
  const given = node.at("capabilities");
  const may = given.texts();
  for (const name of may)
    if (!capabilities.has(name)) given.fail(`names no capability: ${JSON.stringify(name)}`);
  return {
    server,
    mayResolve: !given.present || may.includes("resolve"),
    mayPull: !given.present || may.includes("pull"),
    caFiles: oneOrMore(node.at("ca")),
    clientFiles: parseClient(node.at("client")),
    skipVerify: node.at("skip_verify").optionalFlag() ?? false,
    overridePath: node.at("override_path").optionalFlag() ?? false,
    headers: parseHeaders(node.at("header")),
    dialTimeoutMs: parseTimeout(node.at("dial_timeout")),
  };
}

/** The URL of a server as written; https where it has no scheme. */
export function serverUrl(server: string): URL | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `https://${server}`);
  const proper =
    url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  return proper && (url.protocol === "https:" || url.protocol === "http:") ? url : undefined;
}

function oneOrMore(node: JsonNode): readonly string[] {
  return node.isList() ? node.texts() : [node.optionalText()].filter((text) => text !== undefined);
}

function parseTimeout(node: JsonNode): number | undefined {
  const text = node.optionalText();
  if (text === undefined) return undefined;
  return parseGoDuration(text) ?? node.fail('is no duration such as "5s" or "1m30s"');
}

/** One file with both, several of them, or pairs of certificate and key. */
function parseClient(node: JsonNode): HostSettings["clientFiles"] {
  if (!node.isList()) return oneOrMore(node).map((file) => ({ cert: file, key: file }));
  return node.list().map((item) => {
    const [cert = item.fail("names no file"), key = cert, ...more] = oneOrMore(item);
    return more.length === 0 ? { cert, key: key === "" ? cert : key } : item.fail("is not a pair of files");
  });
}

function parseHeaders(node: JsonNode): Readonly<Record<string, string>> {
  const pairs = node.keys().map((name): readonly [string, string] => {
    const value = oneOrMore(node.at(name)).join(", ");
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) node.at(name).fail("is no name of a header");
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) node.at(name).fail("is no value of a header");
    return [name.toLowerCase(), value];
  });
  return Object.fromEntries(pairs);
}
