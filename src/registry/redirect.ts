import { BangerError } from "../base/error.ts";
import { addressKind } from "./address.ts";

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function isRedirect(status: number): boolean {
  return redirectStatuses.has(status);
}

/**
 * Where a redirect leads, if it may. Registries send blobs to storage on other hosts, so another host is fine;
 * what is not: another protocol than HTTP, from HTTPS to HTTP, a user name in the URL, and an address nearer to us
 * than the server that sends us there (a public registry has no business with our loopback, and nobody with a
 * metadata service).
 *
 * @throws BangerError REGISTRY_PROTOCOL, without the URL's query, which may hold a signature.
 */
export function redirectTarget(from: URL, location: string | undefined, op: string): URL {
  const refuse = (why: string): never => {
    throw new BangerError("REGISTRY_PROTOCOL", `${from.host} redirects ${why}`, {
      op,
      hint: "If you run this registry, correct its storage redirect; otherwise don't trust it.",
    });
  };
  if (location === undefined || !URL.canParse(location, from)) return refuse("to nowhere");
  const target = new URL(location, from);
  if (target.protocol !== "https:" && target.protocol !== "http:") {
    return refuse(`to the protocol ${JSON.stringify(target.protocol.slice(0, 20))}`);
  }
  if (from.protocol === "https:" && target.protocol === "http:") return refuse("from HTTPS to HTTP");
  if (target.username !== "" || target.password !== "") return refuse("to a URL with credentials in it");
  if (target.hostname !== from.hostname && !isAsFar(from, target)) {
    return refuse(`to the internal address ${target.hostname}`);
  }
  return target;
}

function isAsFar(from: URL, target: URL): boolean {
  const source = addressKind(from.hostname);
  switch (addressKind(target.hostname)) {
    case "forbidden":
      return false;
    case "loopback":
      return source === "loopback";
    case "private":
      return source !== "public";
    case "name":
    case "public":
      return true;
  }
}
