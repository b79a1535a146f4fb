import type { Digest } from "../base/digest.ts";
import type { BlobFault } from "../oci/image-source.ts";
import type { RegistryHost } from "./host.ts";

/** What is known against a repository's hosts, blob by blob: who broke off, and who sent wrong bytes. */
export class BlobHosts {
  readonly #faults = new Map<Digest, Map<RegistryHost, BlobFault>>();

  /**
   * The order in which a blob is asked for: hosts whose bodies broke off after the others, and those that sent wrong
   * bytes not at all while there is another.
   */
  order(hosts: readonly RegistryHost[], digest: Digest): readonly RegistryHost[] {
    const faults = this.#faults.get(digest);
    if (faults === undefined) return hosts;
    const faulty = (fault: BlobFault | undefined) => hosts.filter((host) => faults.get(host) === fault);
    const able = [...faulty(undefined), ...faulty("broke off")];
    return able.length > 0 ? able : hosts;
  }

  /** @returns Whether there is a host that has not sent wrong bytes for this blob. */
  blame(hosts: readonly RegistryHost[], host: RegistryHost, digest: Digest, fault: BlobFault): boolean {
    const faults = this.#faults.get(digest) ?? new Map<RegistryHost, BlobFault>();
    this.#faults.set(digest, faults);
    if (faults.get(host) !== "wrong bytes") faults.set(host, fault);
    return hosts.some((other) => other.place.mayPull && faults.get(other) !== "wrong bytes");
  }
}
