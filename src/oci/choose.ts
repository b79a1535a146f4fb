import type { Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { parseConfig } from "./config.ts";
import { verifyBytes, type Descriptor } from "./descriptor.ts";
import { openDocument } from "./document.ts";
import { parseIndex, rankEntries, type IndexEntry } from "./image-index.ts";
import { parseManifest, type ImageConfig, type ImageManifest } from "./manifest.ts";
import { formatPlatform, platformDistance, type Platform } from "./platform.ts";

/** Bytes as they came, with what they were announced as. */
export interface FetchedDocument {
  readonly bytes: Uint8Array;
  /** Media type without parameters; empty where nothing said. */
  readonly mediaType: string;
}

/** The first document of an image. Its digest was verified, or computed where the image was asked for by tag. */
export interface RootDocument extends FetchedDocument {
  readonly digest: Digest;
}

/** How further documents are had. Bounding them is the reader's part, verifying them is done here. */
export interface DocumentReader {
  manifest(descriptor: Descriptor): Promise<FetchedDocument>;
  config(descriptor: Descriptor): Promise<Uint8Array>;
}

/** What a document led to. */
export interface ChosenImage {
  readonly manifestDigest: Digest;
  /** The index that the manifest was chosen from, the outer one of two. */
  readonly indexDigest: Digest | undefined;
  readonly platform: Platform;
  /** All that the index offers; `[platform]` without one. */
  readonly availablePlatforms: readonly Platform[];
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

type ChoiceLimits = Pick<Limits, "layers" | "indexEntries" | "documentBytes">;

interface Choice {
  readonly wanted: Platform;
  readonly reader: DocumentReader;
  readonly limits: ChoiceLimits;
  /** All platforms seen, for the answer and for the error. */
  readonly seen: Platform[];
  /** As people named it. */
  readonly subject: string;
}

/** An index may hold indexes, and these only manifests. */
const maxNesting = 1;

/**
 * From the first document of an image to the manifest and config for a platform: everything on the way is verified
 * and parsed.
 *
 * @throws BangerError MANIFEST_*, LIMIT_*, DIGEST_MISMATCH, SIZE_MISMATCH; PLATFORM_UNKNOWN, which lists what there is
 */
export async function chooseImage(
  root: RootDocument,
  wanted: Platform,
  subject: string,
  reader: DocumentReader,
  limits: ChoiceLimits,
): Promise<ChosenImage> {
  const choice: Choice = { wanted, reader, limits, seen: [], subject };
  return chosen(await descend(root, choice, 0), choice);
}

/** The same for a list of entries that is no document with a digest: `index.json` of an OCI layout. */
export async function chooseFromEntries(
  entries: readonly IndexEntry[],
  wanted: Platform,
  subject: string,
  reader: DocumentReader,
  limits: ChoiceLimits,
): Promise<ChosenImage> {
  const choice: Choice = { wanted, reader, limits, seen: [], subject };
  return chosen(await tryEntries(entries, choice, -1, undefined), choice);
}

type Found = Omit<ChosenImage, "availablePlatforms">;

function chosen(found: Found | undefined, choice: Choice): ChosenImage {
  if (found === undefined) throw noPlatform(choice);
  return { ...found, availablePlatforms: uniquePlatforms(choice.seen) };
}

async function descend(document: RootDocument, choice: Choice, nesting: number): Promise<Found | undefined> {
  const named = `of ${choice.subject} (${document.digest})`;
  const opened = openDocument(document.bytes, document.mediaType, `the document ${named}`);
  if (opened.kind === "manifest") {
    const manifest = parseManifest(opened.root, opened.mediaType, `the manifest ${named}`, choice.limits);
    return await checkManifest(document.digest, manifest, choice);
  }
  if (nesting > maxNesting) {
    throw new BangerError("MANIFEST_UNSUPPORTED", `the index ${named} is nested more than once`, {
      op: "choose platform",
    });
  }
  const entries = parseIndex(opened.root, `the index ${named}`, choice.limits);
  return await tryEntries(entries, choice, nesting, document.digest);
}

async function tryEntries(
  entries: readonly IndexEntry[],
  choice: Choice,
  nesting: number,
  indexDigest: Digest | undefined,
): Promise<Found | undefined> {
  choice.seen.push(...entries.flatMap(({ platform }) => platform ?? []));
  for (const entry of rankEntries(entries, choice.wanted)) {
    const found = await descend(await readEntry(entry, choice), choice, nesting + 1);
    if (found !== undefined) return { ...found, indexDigest: indexDigest ?? found.indexDigest };
  }
  return undefined;
}

async function readEntry({ descriptor }: IndexEntry, choice: Choice): Promise<RootDocument> {
  const { digest, mediaType } = descriptor;
  if (descriptor.data !== undefined) return { bytes: descriptor.data, mediaType, digest };
  checkDocumentSize(descriptor, "manifest", choice.limits);
  const fetched = await choice.reader.manifest(descriptor);
  verifyBytes(fetched.bytes, descriptor, "manifest");
  // The descriptor is vouched for by the index's digest, a header by nobody.
  return { bytes: fetched.bytes, mediaType, digest };
}

/** A manifest whose config is for another platform is no match, wherever it was found. */
async function checkManifest(
  digest: Digest,
  manifest: ImageManifest,
  choice: Choice,
): Promise<Found | undefined> {
  const config = await readConfig(manifest, choice);
  choice.seen.push(config.platform);
  if (platformDistance(choice.wanted, config.platform) === undefined) return undefined;
  return { manifestDigest: digest, indexDigest: undefined, platform: config.platform, manifest, config };
}

async function readConfig(
  { config, layers }: ImageManifest,
  { reader, limits }: Choice,
): Promise<ImageConfig> {
  checkDocumentSize(config, "config", limits);
  const bytes = config.data ?? (await reader.config(config));
  verifyBytes(bytes, config, "config");
  return parseConfig(bytes, config.digest, layers.length);
}

/** @throws BangerError LIMIT_DOCUMENT_SIZE before a byte is asked for. */
function checkDocumentSize({ digest, size }: Descriptor, what: string, limits: ChoiceLimits): void {
  if (size > limits.documentBytes)
    throw tooLarge(`${what} ${digest} has ${size} bytes`, limits.documentBytes);
}

/** For a document that is larger than allowed, known beforehand or found out. */
export function tooLarge(what: string, limit: number): BangerError {
  return new BangerError("LIMIT_DOCUMENT_SIZE", `${what}; the limit is ${limit}`, {
    op: "fetch document",
    hint: "Such a document is hardly an image's: check what the reference leads to.",
  });
}

function noPlatform({ wanted, seen, subject }: Choice): BangerError {
  const there = uniquePlatforms(seen).map((platform) => formatPlatform(platform));
  return new BangerError(
    "PLATFORM_UNKNOWN",
    `${subject} has no image for ${formatPlatform(wanted)}; there is ${there.join(", ") || "none at all"}`,
    {
      op: "choose platform",
      hint: "Choose one of these with --platform.",
      facts: { platform: formatPlatform(wanted), available: there.join(",") },
    },
  );
}

function uniquePlatforms(platforms: readonly Platform[]): readonly Platform[] {
  return [...new Map(platforms.map((platform) => [JSON.stringify(platform), platform])).values()];
}
