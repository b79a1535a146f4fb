import type { Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { tooLarge, type DocumentReader, type RootDocument } from "./choose.ts";
import { parseDescriptor, verifyBytes, type Descriptor } from "./descriptor.ts";
import { openDocument } from "./document.ts";
import { parseIndex, rankEntries, type IndexEntry } from "./image-index.ts";
import type { ImageSource, SourceOptions } from "./image-source.ts";
import { formatPlatform, type Platform } from "./platform.ts";
import type { RepositoryDocuments } from "./repository-documents.ts";

/** A blob of an artifact. */
export interface ArtifactFile {
  readonly descriptor: Descriptor;
  /** `org.opencontainers.image.title`, the file's name where it was pushed as a file; any text at all. */
  readonly title: string | undefined;
}

/** What a document led to. */
export interface ChosenArtifact {
  readonly manifestDigest: Digest;
  /** The index that the manifest was chosen from, the outer one of two. */
  readonly indexDigest: Digest | undefined;
  /** In the manifest's order. */
  readonly files: readonly ArtifactFile[];
}

/** OCI image-spec manifest.md, "Guidelines for Artifact Usage": a manifest that need not be an image's. */
export interface Artifact extends ChosenArtifact {
  /** What was asked for, normalised, as people write it. */
  readonly reference: string;
  /** As `ghcr.io/example/kernels`, or `oci:/folder`. */
  readonly repository: string;
}

/** A place that artifacts come from. What `ImageSource` says of `openBlob` holds here, too. */
export interface ArtifactSource extends AsyncDisposable {
  /** What else the repository holds; undefined where the source is no repository. */
  readonly documents?: RepositoryDocuments;
  /** Fetches, verifies and parses index and manifest. Writes nothing. */
  resolveArtifact(platform: Platform, options: SourceOptions): Promise<Artifact>;
  readonly openBlob: ImageSource["openBlob"];
}

type ArtifactReader = Pick<DocumentReader, "manifest">;
type ArtifactLimits = Pick<Limits, "layers" | "indexEntries" | "documentBytes">;

interface Choice {
  readonly wanted: Platform;
  readonly reader: ArtifactReader;
  readonly limits: ArtifactLimits;
  /** As people named it. */
  readonly subject: string;
}

const op = "choose artifact";
const titleKey = "org.opencontainers.image.title";
/** An index may hold indexes, and these only manifests: as for images. */
const maxNesting = 1;

/**
 * From the first document to the artifact for a platform. One that no index gives a platform is for any.
 *
 * @throws BangerError MANIFEST_*, LIMIT_*, DIGEST_MISMATCH, SIZE_MISMATCH, PLATFORM_UNKNOWN
 */
export async function chooseArtifact(
  root: RootDocument,
  wanted: Platform,
  subject: string,
  reader: ArtifactReader,
  limits: ArtifactLimits,
): Promise<ChosenArtifact> {
  return await descend(root, { wanted, reader, limits, subject }, 0);
}

/** The same for `index.json` of an OCI layout, which is no document with a digest. */
export async function chooseArtifactFromEntries(
  entries: readonly IndexEntry[],
  wanted: Platform,
  subject: string,
  reader: ArtifactReader,
  limits: ArtifactLimits,
): Promise<ChosenArtifact> {
  return await chooseEntry(entries, { wanted, reader, limits, subject }, -1);
}

async function descend(document: RootDocument, choice: Choice, nesting: number): Promise<ChosenArtifact> {
  const named = `of ${choice.subject} (${document.digest})`;
  const { kind, root } = openDocument(document.bytes, document.mediaType, `the document ${named}`);
  if (kind === "index") {
    if (nesting > maxNesting) {
      throw new BangerError("MANIFEST_UNSUPPORTED", `the index ${named} is nested more than once`, { op });
    }
    const entries = parseIndex(root, `the index ${named}`, choice.limits, "all");
    return { ...(await chooseEntry(entries, choice, nesting)), indexDigest: document.digest };
  }
  const layers = root.at("layers").list();
  if (layers.length > choice.limits.layers) {
    const message = `the artifact ${named} has ${layers.length} files; the limit is ${choice.limits.layers}`;
    throw new BangerError("LIMIT_LAYERS", message, { op });
  }
  const files = layers.map((node) => {
    return { descriptor: parseDescriptor(node), title: node.at("annotations").textMap()[titleKey] };
  });
  return { manifestDigest: document.digest, indexDigest: undefined, files };
}

async function chooseEntry(
  entries: readonly IndexEntry[],
  choice: Choice,
  nesting: number,
): Promise<ChosenArtifact> {
  const [entry] = rankEntries(entries, choice.wanted);
  if (entry !== undefined) return await descend(await readEntry(entry, choice), choice, nesting + 1);
  const wanted = formatPlatform(choice.wanted);
  const there = entries.flatMap(({ platform }) => (platform === undefined ? [] : formatPlatform(platform)));
  throw new BangerError(
    "PLATFORM_UNKNOWN",
    `${choice.subject} has nothing for ${wanted}; there is ${there.join(", ") || "none at all"}`,
    { op, facts: { platform: wanted, available: there.join(",") } },
  );
}

async function readEntry({ descriptor }: IndexEntry, { reader, limits }: Choice): Promise<RootDocument> {
  const { digest, size, mediaType } = descriptor;
  if (size > limits.documentBytes) {
    throw tooLarge(`manifest ${digest} has ${size} bytes`, limits.documentBytes);
  }
  const bytes = descriptor.data ?? (await reader.manifest(descriptor)).bytes;
  verifyBytes(bytes, descriptor, "manifest");
  return { bytes, mediaType, digest };
}
