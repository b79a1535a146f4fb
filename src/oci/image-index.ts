import { BangerError } from "../base/error.ts";
import type { JsonNode } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { parsePlatformOf } from "./config.ts";
import { parseDescriptor, type Descriptor } from "./descriptor.ts";
import { documentKind, isSchema1, type DocumentKind } from "./media-types.ts";
import { isUnknownPlatform, normalizePlatform, platformDistance, type Platform } from "./platform.ts";

/** An entry that may lead to an image. */
export interface IndexEntry {
  readonly descriptor: Descriptor;
  readonly kind: DocumentKind;
  /** Normalised; absent where only the config tells. */
  readonly platform: Platform | undefined;
  /** `org.opencontainers.image.ref.name`, which names images of an OCI layout. */
  readonly refName: string | undefined;
}

/**
 * Parses the entries of what `openDocument` found to be an index (OCI image-spec image-index.md, Docker's manifest
 * list). Attestations and types that we don't know are left out, as the spec asks, and artifacts unless `kinds` is "all".
 *
 * @throws BangerError MANIFEST_INVALID, LIMIT_INDEX_ENTRIES
 */
export function parseIndex(
  document: JsonNode,
  subject: string,
  limits: Pick<Limits, "indexEntries">,
  kinds: "images" | "all" = "images",
): readonly IndexEntry[] {
  const nodes = document.at("manifests").list();
  if (nodes.length > limits.indexEntries) {
    throw new BangerError(
      "LIMIT_INDEX_ENTRIES",
      `${subject} has ${nodes.length} entries; the limit is ${limits.indexEntries}`,
      {
        op: "parse index",
        hint: "Name one image by its digest.",
      },
    );
  }
  return nodes.flatMap((node) => parseEntry(node, kinds));
}

function parseEntry(node: JsonNode, kinds: "images" | "all"): readonly IndexEntry[] {
  const mediaType = node.at("mediaType").text();
  // Not understood, but known: chosen where there is nothing better, it is refused as what it is.
  const kind = isSchema1(mediaType) ? "manifest" : documentKind(mediaType);
  const descriptor = parseDescriptor(node);
  if (kind === undefined) return [];
  if (kinds === "images" && descriptor.artifactType !== undefined) return [];
  const annotations = node.at("annotations").textMap();
  if (annotations["vnd.docker.reference.type"] === "attestation-manifest") return [];
  const platformNode = node.at("platform");
  const platform = platformNode.present ? normalizePlatform(parsePlatformOf(platformNode)) : undefined;
  if (platform !== undefined && isUnknownPlatform(platform)) return [];
  return [{ descriptor, kind, platform, refName: annotations["org.opencontainers.image.ref.name"] }];
}

/**
 * The entries worth trying for a platform, best first: manifests that say they are for it, nearest variant and
 * then the index's order first; after them nested indexes; after them what does not say. Schema 1 is last.
 */
export function rankEntries(entries: readonly IndexEntry[], wanted: Platform): readonly IndexEntry[] {
  const ranked = entries.flatMap((entry) => {
    const last = isSchema1(entry.descriptor.mediaType) ? 3e6 : 0;
    if (entry.platform === undefined) return [{ entry, rank: last + (entry.kind === "index" ? 1e6 : 2e6) }];
    const distance = platformDistance(wanted, entry.platform);
    return distance === undefined ? [] : [{ entry, rank: last + distance }];
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(({ entry }) => entry);
}
