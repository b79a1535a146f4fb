import { join } from "node:path";
import { algorithmOf, hexOf } from "../base/digest.ts";
import { BangerError, asBangerError } from "../base/error.ts";
import { parseJson } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { chooseArtifactFromEntries, type Artifact, type ArtifactSource } from "../oci/artifact.ts";
import { chooseFromEntries, type FetchedDocument } from "../oci/choose.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { parseIndex, type IndexEntry } from "../oci/image-index.ts";
import type { BlobStream, ImageSource, ResolvedImage, SourceOptions } from "../oci/image-source.ts";
import type { Platform } from "../oci/platform.ts";
import { formatSourceReference, type LayoutReference } from "../oci/source-reference.ts";
import { ArchiveTree } from "./archive.ts";
import { folderTree, readPieces, readWhole, type FilePart, type FileTree } from "./file-tree.ts";
import { embeddedBlob } from "./blob-stream.ts";

const op = "read image layout";

/** An image in a folder, or in a tar archive of one: OCI image-spec, image-layout.md. */
export class LayoutSource implements ImageSource, ArtifactSource {
  readonly #reference: LayoutReference;
  readonly #limits: Limits;
  readonly #files: FileTree;

  /** `reference.path` is absolute. */
  constructor(reference: LayoutReference, limits: Limits) {
    this.#reference = reference;
    this.#limits = limits;
    const { kind, path } = reference;
    this.#files = kind === "oci" ? folderTree(path, op) : new ArchiveTree(path, limits);
  }

  async resolve(platform: Platform, options: SourceOptions): Promise<ResolvedImage> {
    if (options.signal.aborted) throw asBangerError(options.signal.reason, op);
    const reference = formatSourceReference(this.#reference);
    const entries = selectEntries(await this.#readIndex("images"), this.#reference);
    const reader = {
      manifest: (descriptor: Descriptor) => this.#readManifest(descriptor),
      config: (descriptor: Descriptor) => this.#readBlob(descriptor),
    };
    const chosen = await chooseFromEntries(entries, platform, reference, reader, this.#limits);
    const tag = this.#reference.digest === undefined ? (this.#reference.tag ?? tagOf(entries)) : undefined;
    return { reference, repository: this.#repository, tag, ...chosen };
  }

  get #repository(): string {
    return `${this.#reference.kind}:${this.#reference.path}`;
  }

  async resolveArtifact(platform: Platform, options: SourceOptions): Promise<Artifact> {
    if (options.signal.aborted) throw asBangerError(options.signal.reason, op);
    const entries = selectEntries(await this.#readIndex("all"), this.#reference);
    const reader = { manifest: (descriptor: Descriptor) => this.#readManifest(descriptor) };
    const reference = formatSourceReference(this.#reference);
    const chosen = await chooseArtifactFromEntries(entries, platform, reference, reader, this.#limits);
    return { reference, repository: this.#repository, ...chosen };
  }

  async openBlob(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream> {
    if (descriptor.data !== undefined) return embeddedBlob(descriptor.data, offset);
    const body = readPieces(() => this.#openBlobFile(descriptor), offset, options.signal, op);
    return { offset, body, from: this.#reference.path };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every file is closed by whoever reads it.
  }

  async #readIndex(kinds: "images" | "all"): Promise<readonly IndexEntry[]> {
    const { kind, path: place } = this.#reference;
    const path = join(place, "index.json");
    const part = await this.#files.open("index.json");
    if (part === undefined) {
      const hint =
        kind === "oci"
          ? "Give the folder that holds index.json and blobs/."
          : "Give the archive of a folder with index.json and blobs/; one by `docker save` is a docker-archive:.";
      throw new BangerError("SOURCE_UNKNOWN", `there is no OCI image layout at ${place}`, { op, hint });
    }
    const bytes = await readWhole(part, this.#limits, path);
    const root = parseJson(bytes, { reason: "MANIFEST_INVALID", op, subject: path });
    return parseIndex(root, path, this.#limits, kinds);
  }

  async #readManifest(descriptor: Descriptor): Promise<FetchedDocument> {
    return { bytes: await this.#readBlob(descriptor), mediaType: descriptor.mediaType };
  }

  async #readBlob(descriptor: Descriptor): Promise<Uint8Array> {
    const part = await this.#openBlobFile(descriptor);
    return await readWhole(part, this.#limits, `blob ${descriptor.digest}`);
  }

  /** @throws BangerError BLOB_UNKNOWN; SIZE_MISMATCH before a byte is read */
  async #openBlobFile({ digest, size }: Descriptor): Promise<FilePart> {
    const { path } = this.#reference;
    const part = await this.#files.open(`blobs/${algorithmOf(digest)}/${hexOf(digest)}`);
    if (part === undefined) {
      throw new BangerError("BLOB_UNKNOWN", `the image layout ${path} has no blob ${digest}`, {
        op,
        hint: "The layout is incomplete; copy the image again.",
        facts: { digest },
      });
    }
    if (part.size === size) return part;
    await part[Symbol.asyncDispose]();
    throw new BangerError("SIZE_MISMATCH", `blob ${digest} has ${part.size} bytes in ${path}, not ${size}`, {
      op,
      facts: { digest },
    });
  }
}

/** The entries that a reference can mean. @throws BangerError SOURCE_UNKNOWN */
function selectEntries(entries: readonly IndexEntry[], reference: LayoutReference): readonly IndexEntry[] {
  const { path, tag, digest } = reference;
  if (digest !== undefined) {
    const found = entries.filter(({ descriptor }) => descriptor.digest === digest);
    if (found.length > 0) return found;
    throw unknownEntry(`the image layout ${path} lists no ${digest}`, entries);
  }
  if (tag !== undefined) {
    const exact = entries.filter(({ refName }) => refName === tag);
    // containerd and nerdctl write the whole name where the spec's examples have the tag alone.
    const found = exact.length > 0 ? exact : entries.filter(({ refName }) => refName?.endsWith(`:${tag}`));
    if (found.length > 0) return found;
    throw unknownEntry(`the image layout ${path} has no image named ${JSON.stringify(tag)}`, entries);
  }
  if (new Set(entries.map(({ refName }) => refName)).size <= 1) return entries;
  throw unknownEntry(`the image layout ${path} has several images`, entries);
}

function unknownEntry(message: string, entries: readonly IndexEntry[]): BangerError {
  const names = [...new Set(entries.map(({ refName }) => refName ?? ""))].filter((name) => name !== "");
  const list = names.slice(0, 20).map((name) => JSON.stringify(name));
  return new BangerError("SOURCE_UNKNOWN", `${message}; it names ${list.join(", ") || "none"}`, {
    op,
    hint: "Name one as oci:DIR:TAG or oci-archive:FILE:TAG, or by its digest as oci:DIR@sha256:….",
  });
}

/** The tag that the only image has, which its default name is made of. */
function tagOf(entries: readonly IndexEntry[]): string {
  const refName = entries[0]?.refName ?? "";
  return refName.slice(refName.lastIndexOf(":") + 1) || "latest";
}
