import { isDigest, type Digest } from "../base/digest.ts";
import type { JsonNode } from "../base/json.ts";
import type { FetchedDocument, RootDocument } from "../oci/choose.ts";
import { parseDescriptor, type Descriptor } from "../oci/descriptor.ts";
import { openDocument } from "../oci/document.ts";
import { bundleType, signPredicate } from "./bundle.ts";
import { differs, simpleSigningType } from "./simple-signing.ts";

/** What cosign calls its signatures where it lists them as referrers (`COSIGN_EXPERIMENTAL` with `oci-1-1`). */
export const signatureArtifact = "application/vnd.dev.cosign.artifact.sig.v1+json";

/** The types of referrers that hold signatures. */
export const signatureArtifacts: readonly string[] = [signatureArtifact, bundleType];

/** A layer of a signature's manifest: what to fetch, and what its annotation holds. */
export type StoredSignature =
  | { readonly kind: "simple-signing"; readonly descriptor: Descriptor; readonly signature: Buffer }
  | { readonly kind: "bundle"; readonly descriptor: Descriptor };

const signatureAnnotation = "dev.cosignproject.cosign/signature";
const predicateAnnotation = "dev.sigstore.bundle.predicateType";

/** Where cosign puts the signatures of an image (SIGNATURE_SPEC.md, "Tag-based Discovery"). */
export function signatureTag(digest: Digest): string {
  return `${digest.replace(":", "-")}.sig`;
}

/** Where the referrers of an image are listed if the registry has no API for it (OCI distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(digest: Digest): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

/**
 * The signatures that a manifest lists. Layers of other types are passed over.
 *
 * @throws BangerError MANIFEST_INVALID, MANIFEST_UNSUPPORTED, SIGNATURE_INVALID
 */
export function parseSignatureManifest({
  bytes,
  mediaType,
  digest,
}: RootDocument): readonly StoredSignature[] {
  const opened = openDocument(bytes, mediaType, `the document ${digest}`);
  if (opened.kind === "index") throw differs("it is an index, and holds no signature");
  return opened.root
    .at("layers")
    .list()
    .flatMap((layer) => parseLayer(layer));
}

function parseLayer(layer: JsonNode): readonly StoredSignature[] {
  const descriptor = parseDescriptor(layer);
  if (descriptor.mediaType === bundleType) return [{ kind: "bundle", descriptor }];
  if (descriptor.mediaType !== simpleSigningType) return [];
  const text = layer.at("annotations").textMap()[signatureAnnotation] ?? "";
  return [{ kind: "simple-signing", descriptor, signature: Buffer.from(text, "base64") }];
}

/**
 * Digests of the manifests that a list of referrers gives for signatures; statements of other kinds are left out where
 * the list says what they are.
 *
 * @throws BangerError MANIFEST_INVALID, MANIFEST_UNSUPPORTED
 */
export function parseReferrers({ bytes, mediaType }: FetchedDocument, subject: string): readonly Digest[] {
  const opened = openDocument(bytes, mediaType, subject);
  if (opened.kind !== "index") return [];
  return opened.root
    .at("manifests")
    .list()
    .flatMap((entry) => {
      const digest = entry.at("digest").text();
      const artifactType = entry.at("artifactType").optionalText() ?? "";
      const predicate = entry.at("annotations").textMap()[predicateAnnotation] ?? signPredicate;
      const wanted = signatureArtifacts.includes(artifactType) && predicate === signPredicate;
      return wanted && isDigest(digest) ? [digest] : [];
    });
}
