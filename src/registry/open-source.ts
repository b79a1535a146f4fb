import { resolve } from "node:path";
import type { BandwidthLimit } from "../base/bandwidth.ts";
import { BangerError } from "../base/error.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { systemClock, type Clock } from "../base/retry.ts";
import type { ArtifactSource } from "../oci/artifact.ts";
import type { ImageSource } from "../oci/image-source.ts";
import type { Reference } from "../oci/reference.ts";
import { parseSourceReference, type SourceReference } from "../oci/source-reference.ts";
import { RegistrySource } from "./client.ts";
import type { CredentialFinder, Credentials } from "./credentials.ts";
import { DockerArchiveSource } from "./docker-archive.ts";
import { RegistryHost } from "./host.ts";
import { placesFor } from "./hosts-lookup.ts";
import { LayoutSource } from "./local-layout.ts";
import type { Place } from "./place.ts";
import type { ProxyRules } from "./proxy.ts";
import type { SharedDocuments } from "./shared-documents.ts";

/** How registries are reached from where the daemon runs; the same for every pull. */
export interface RegistryAccess {
  /** Asked where a pull brings no credentials of its own; nobody where undefined. */
  readonly credentialFinder?: CredentialFinder;
  /** Folders with a hosts.toml for each registry, as `/etc/containerd/certs.d`. */
  readonly certsDirs?: readonly string[];
  /** @throws BangerError CONFIG_INVALID where they can't be used */
  readonly proxies?: () => ProxyRules;
  readonly userAgent?: string;
  /** What all downloads together keep to. */
  readonly bandwidth?: BandwidthLimit | undefined;
  /** Configs that pulls of one repository share. */
  readonly documents?: SharedDocuments;
}

export interface OpenSourceOptions extends RegistryAccess {
  readonly limits?: Limits;
  /** For the registry that the reference names, and for no mirror of it. */
  readonly credentials?: Credentials | undefined;
  /** Registries, by the domain in references to them, that may be spoken to without TLS where they have none. */
  readonly plainHttpHosts?: readonly string[];
  /** PEM certificates trusted in place of the system's. */
  readonly ca?: string;
  readonly clock?: Clock;
}

/** Tries at a mirror, the first included: there is another place to ask. */
const mirrorAttempts = 2;

/**
 * Opens the place that a reference names: an image in a registry, a local folder or an archive. Nothing is contacted
 * or read yet. Whoever opens it disposes of it, once nothing reads from it any more.
 *
 * @throws BangerError REFERENCE_INVALID
 */
export function openSource(text: string, options: OpenSourceOptions = {}): ImageSource {
  const source = parseSourceReference(text);
  const { limits = defaultLimits } = options;
  if (source.kind !== "docker-archive") return openPlace(source, options);
  return new DockerArchiveSource({ ...source, path: resolve(source.path) }, limits);
}

/**
 * The same for an artifact, which an archive by `docker save` can't hold.
 *
 * @throws BangerError REFERENCE_INVALID
 */
export function openArtifact(text: string, options: OpenSourceOptions = {}): ArtifactSource {
  const source = parseSourceReference(text);
  if (source.kind !== "docker-archive") return openPlace(source, options);
  throw new BangerError("REFERENCE_INVALID", `${text.slice(0, 200)} holds images alone, and no artifact`, {
    op: "open artifact",
    hint: "Name an artifact in a registry, or an OCI layout: oci:FOLDER:TAG.",
  });
}

function openPlace(
  source: Exclude<SourceReference, { kind: "docker-archive" }>,
  options: OpenSourceOptions,
): ImageSource & ArtifactSource {
  const { limits = defaultLimits, clock = systemClock, bandwidth, documents } = options;
  if (source.kind !== "registry") return new LayoutSource({ ...source, path: resolve(source.path) }, limits);
  const openHosts = () => openHostsOf(source.reference, options, limits, clock);
  return new RegistrySource(source.reference, { limits, clock, openHosts, bandwidth, documents });
}

async function openHostsOf(
  { domain, path }: Reference,
  options: OpenSourceOptions,
  limits: Limits,
  clock: Clock,
): Promise<readonly RegistryHost[]> {
  const { certsDirs = [], plainHttpHosts, ca, proxies, userAgent = "banger" } = options;
  const places = await placesFor(domain, { certsDirs, plainHttpHosts, limits });
  const shared = { clock, userAgent, ca, proxies: proxies?.(), repository: path };
  return places.map((place, at) => {
    const attempts = at === places.length - 1 ? limits.attempts : Math.min(limits.attempts, mirrorAttempts);
    const findCredentials = (signal: AbortSignal) => credentialsFor(place, domain, path, options, signal);
    return new RegistryHost({ ...shared, limits: { ...limits, attempts }, place, findCredentials });
  });
}

/** A mirror gets what is known for the mirror, and never what is the registry's. */
async function credentialsFor(
  { namespace, endpoint }: Place,
  domain: string,
  path: string,
  { credentials, credentialFinder }: OpenSourceOptions,
  signal: AbortSignal,
): Promise<Credentials | undefined> {
  if (namespace === undefined && credentials !== undefined) return credentials;
  return await credentialFinder?.find(namespace === undefined ? domain : endpoint.host, path, signal);
}
