import { resolve } from "node:path";
import { BangerError } from "../base/error.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { systemClock, type Clock } from "../base/retry.ts";
import type { ImageSource } from "../oci/image-source.ts";
import { parseSourceReference } from "../oci/source-reference.ts";
import { RegistrySource } from "./client.ts";
import type { Credentials } from "./credentials.ts";
import { endpointOf } from "./endpoint.ts";
import { LayoutSource } from "./local-layout.ts";

export interface OpenSourceOptions {
  readonly limits?: Limits;
  /** For the registry that the reference names. */
  readonly credentials?: Credentials;
  /** Registries, by the domain in references to them, that may be spoken to without TLS where they have none. */
  readonly plainHttpHosts?: readonly string[];
  /** PEM certificates trusted in place of the system's. */
  readonly ca?: string;
  readonly userAgent?: string;
  readonly clock?: Clock;
}

/**
 * Opens the place that a reference names: an image in a registry, or a local folder. Nothing is contacted yet.
 * Whoever opens it disposes of it, once nothing reads from it any more.
 *
 * @throws BangerError REFERENCE_INVALID, NOT_IMPLEMENTED
 */
export function openSource(text: string, options: OpenSourceOptions = {}): ImageSource {
  const source = parseSourceReference(text);
  const { limits = defaultLimits, clock = systemClock, userAgent = "banger" } = options;
  const { credentials, ca, plainHttpHosts } = options;
  switch (source.kind) {
    case "registry":
      return new RegistrySource(source.reference, endpointOf(source.reference.domain, plainHttpHosts), {
        limits,
        clock,
        userAgent,
        credentials,
        ca,
      });
    case "oci":
      return new LayoutSource({ ...source, path: resolve(source.path) }, limits);
    case "oci-archive":
    case "docker-archive":
      throw new BangerError("NOT_IMPLEMENTED", `${source.kind}: sources can't be read yet`, {
        op: "open source",
        hint: `Unpack it first: skopeo copy ${source.kind}:FILE oci:DIR:TAG, then pull oci:DIR:TAG.`,
      });
  }
}
