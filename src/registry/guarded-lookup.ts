import { lookup as systemLookup, type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { BangerError } from "../base/error.ts";
import { addressKind } from "./address.ts";

/** As `dns.lookup` with `all`. */
export type Resolve = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Looks up a name that a server gave us, for a redirect or as a token server. What an address in its place would be
 * refused for, its address is refused for too: a name can lead to a metadata service, or to this machine, as well.
 *
 * @param isLocal whether the server that gave the name is this machine's itself
 */
export function guardedLookup(isLocal: () => boolean, resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const allowed = addresses.filter(({ address }) => mayLeadTo(address, isLocal()));
      const [first] = allowed;
      if (first === undefined) return callback(internalAddress(hostname, addresses), []);
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** The same look-up, with nothing refused, which tells whether the name is this machine's. */
export function noticingLookup(onLocal: () => void, resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null || first === undefined) return callback(error, []);
      if (addresses.some(({ address }) => addressKind(address) === "loopback")) onLocal();
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function mayLeadTo(address: string, isLocal: boolean): boolean {
  const kind = addressKind(address);
  return kind !== "forbidden" && (kind !== "loopback" || isLocal);
}

function internalAddress(hostname: string, addresses: readonly LookupAddress[]): BangerError {
  const list = addresses.map(({ address }) => address).join(", ");
  return new BangerError(
    "REGISTRY_PROTOCOL",
    `${hostname} leads to the internal address ${list || "of nothing"}`,
    {
      op: "connect",
      hint: "If you run this registry, correct where it redirects to; otherwise don't trust it.",
    },
  );
}
