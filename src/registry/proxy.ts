import { BlockList, isIP } from "node:net";
import { BangerError } from "../base/error.ts";
import { addressKind } from "./address.ts";

/** What HTTP_PROXY, HTTPS_PROXY and NO_PROXY say. */
export interface ProxyRules {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** As written: hosts, domains, addresses, networks, with or without a port; `*` for all. */
  readonly except: readonly string[];
}

/**
 * Reads the variables, lower case first, as curl and Go do.
 *
 * @throws BangerError CONFIG_INVALID for what is no http or https URL; it may hold a password, and is not quoted
 */
export function proxyRules(env: Readonly<Record<string, string | undefined>>): ProxyRules {
  const read = (name: string): string => env[name.toLowerCase()] || env[name] || "";
  return {
    http: parseProxy("HTTP_PROXY", read("HTTP_PROXY")),
    https: parseProxy("HTTPS_PROXY", read("HTTPS_PROXY")),
    except: read("NO_PROXY")
      .split(/[\s,]+/)
      .filter((rule) => rule !== ""),
  };
}

function parseProxy(name: string, text: string): URL | undefined {
  if (text === "") return undefined;
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new BangerError("CONFIG_INVALID", `the proxy in ${name} is no http or https URL`, {
    op: "read proxy settings",
    hint: `Set ${name} to a URL like http://proxy.example:3128, or unset it.`,
  });
}

/** The proxy for a URL; this machine's own servers are reached without one, whatever the rules say. */
export function proxyFor(url: URL, rules: ProxyRules): URL | undefined {
  const proxy = url.protocol === "https:" ? rules.https : rules.http;
  if (proxy === undefined || addressKind(url.hostname) === "loopback") return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return rules.except.some((rule) => isExcept(rule.toLowerCase(), host, port)) ? undefined : proxy;
}

function isExcept(rule: string, host: string, port: string): boolean {
  if (rule === "*") return true;
  if (rule.includes("/")) return isInNetwork(rule, host);
  const [, name = "", wantedPort] = /^(\[[^\]]*\]|[^:]*|[0-9a-f:]*)(?::(\d+))?$/.exec(rule) ?? [];
  if (name === "" || (wantedPort !== undefined && wantedPort !== port)) return false;
  const bare = name.replace(/^\[(.*)\]$/, "$1").replace(/^\*?\./, "");
  // `.example.org` is for what is below it, `example.org` for that and itself; most programs don't tell them apart.
  return host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`));
}

function isInNetwork(rule: string, host: string): boolean {
  const [network = "", bits = ""] = rule.split("/");
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits)) return false;
  const prefix = Number(bits);
  if (prefix > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const name = family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(network, prefix, name);
  return list.check(host, name);
}
