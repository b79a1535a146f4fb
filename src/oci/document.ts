import { BangerError } from "../base/error.ts";
import { parseJson, type JsonNode } from "../base/json.ts";
import { unsupported } from "./manifest.ts";
import { documentKind, isSchema1, ociIndex, ociManifest, type DocumentKind } from "./media-types.ts";

/** A document whose kind is certain, not yet taken apart. */
export interface OpenedDocument {
  readonly kind: DocumentKind;
  readonly mediaType: string;
  readonly root: JsonNode;
}

const op = "parse manifest";

/**
 * Finds out whether bytes are an index or a manifest. `declared` is what the Content-Type header or the descriptor
 * that led here says; types that say nothing of the kind (`text/plain`, none at all) are passed over.
 *
 * A document that could be read as either, or that contradicts what it was announced as, is refused: two programs
 * that read it differently would run different images under one digest (CVE-2021-41190).
 *
 * @throws BangerError MANIFEST_INVALID, MANIFEST_UNSUPPORTED
 */
export function openDocument(bytes: Uint8Array, declared: string, subject: string): OpenedDocument {
  if (isSchema1(declared)) throw schema1(subject);
  const root = parseJson(bytes, { reason: "MANIFEST_INVALID", op, subject });
  const own = root.at("mediaType").optionalText();
  if (root.at("schemaVersion").optionalNatural() === 1 || (own !== undefined && isSchema1(own))) {
    throw schema1(subject);
  }
  if (own !== undefined && documentKind(own) === undefined) {
    throw unsupported(subject, `a document of type ${JSON.stringify(own.slice(0, 120))}`);
  }
  if (own !== undefined && documentKind(declared) !== undefined && own !== declared) {
    throw invalid(subject, `was announced as ${declared} and calls itself ${own}`);
  }
  const kind = structureOf(root, subject);
  const mediaType = own ?? (documentKind(declared) === undefined ? defaultType(kind) : declared);
  if (documentKind(mediaType) !== kind)
    throw invalid(subject, `is an ${kind} in form, but called ${mediaType}`);
  if (root.at("schemaVersion").natural() !== 2) root.at("schemaVersion").fail("is not 2");
  return { kind, mediaType, root };
}

function structureOf(root: JsonNode, subject: string): DocumentKind {
  const isIndex = root.at("manifests").present;
  const isManifest = root.at("layers").present || root.at("config").present;
  if (isIndex && isManifest) throw invalid(subject, "is both a manifest and an index");
  if (!isIndex && !isManifest) throw invalid(subject, "is neither a manifest nor an index");
  return isIndex ? "index" : "manifest";
}

function defaultType(kind: DocumentKind): string {
  return kind === "index" ? ociIndex : ociManifest;
}

function invalid(subject: string, problem: string): BangerError {
  return new BangerError("MANIFEST_INVALID", `${subject} ${problem}`, { op });
}

function schema1(subject: string): BangerError {
  return new BangerError(
    "MANIFEST_UNSUPPORTED",
    `${subject} is in Docker's old schema 1 format, which is unsupported`,
    {
      op,
      hint: "Pull and push the image with a current Docker to convert it.",
    },
  );
}
