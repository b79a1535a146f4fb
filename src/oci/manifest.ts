import type { Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { JsonNode } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { parseDescriptor, type Descriptor } from "./descriptor.ts";
import { isEncrypted, isImageConfig, isLayer } from "./media-types.ts";
import type { Platform } from "./platform.ts";

/** OCI image-spec manifest.md, and Docker's schema 2, which means the same. */
export interface ImageManifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Oldest first. */
  readonly layers: readonly Descriptor[];
}

/** What banger uses of OCI image-spec config.md. */
export interface ImageConfig {
  readonly digest: Digest;
  readonly platform: Platform;
  /** Digests of the inflated layers, oldest first, as many as the manifest has layers. */
  readonly diffIds: readonly Digest[];
  readonly created: string | undefined;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly string[];
  readonly stopSignal: string;
}

const op = "parse manifest";

/**
 * Parses what `openDocument` found to be a manifest.
 *
 * @throws BangerError MANIFEST_INVALID; MANIFEST_UNSUPPORTED for what is no runnable image, with the reason;
 *   LIMIT_LAYERS.
 */
export function parseManifest(
  document: JsonNode,
  mediaType: string,
  subject: string,
  limits: Pick<Limits, "layers">,
): ImageManifest {
  const layerNodes = document.at("layers").list();
  if (layerNodes.length > limits.layers) {
    throw new BangerError(
      "LIMIT_LAYERS",
      `${subject} has ${layerNodes.length} layers; the limit is ${limits.layers}`,
      { op, hint: "Squash the image, or raise layers under [limits] in the config file." },
    );
  }
  const config = parseDescriptor(document.at("config"));
  const artifactType = document.at("artifactType").optionalText();
  if (!isImageConfig(config.mediaType))
    throw unsupported(subject, whatItIs(artifactType ?? config.mediaType));
  const layers = layerNodes.map((node) => parseDescriptor(node));
  for (const layer of layers) {
    if (isEncrypted(layer.mediaType)) throw unsupported(subject, "an image with encrypted layers");
    if (!isLayer(layer.mediaType)) throw unsupported(subject, whatItIs(artifactType ?? layer.mediaType));
  }
  return { mediaType, config, layers };
}

export function unsupported(subject: string, what: string): BangerError {
  return new BangerError(
    "MANIFEST_UNSUPPORTED",
    `${subject} is ${what}, which has no root file system to boot`,
    {
      op,
      hint: "Name an image that containers run from.",
    },
  );
}

/** A media type in a person's words, for those that people come across. */
function whatItIs(mediaType: string): string {
  const quoted = JSON.stringify(mediaType.slice(0, 120));
  if (mediaType.includes("helm")) return `a Helm chart (${quoted})`;
  if (mediaType.includes("docker.plugin")) return `a Docker plugin (${quoted})`;
  if (mediaType.includes("in-toto")) return `an attestation (${quoted})`;
  if (mediaType.includes("cosign") || mediaType.includes("signature")) return `a signature (${quoted})`;
  return `an artifact of type ${quoted}`;
}
