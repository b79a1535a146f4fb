import { paced, type BandwidthLimit } from "../base/bandwidth.ts";
import { algorithmOf, digestOf, isDigest, shortDigest, type Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { readAtMost } from "../base/read-at-most.ts";
import type { Clock } from "../base/retry.ts";
import { chooseArtifact, type Artifact, type ArtifactSource } from "../oci/artifact.ts";
import { chooseImage, tooLarge, type FetchedDocument, type RootDocument } from "../oci/choose.ts";
import { verifyBytes, type Descriptor } from "../oci/descriptor.ts";
import type { BlobStream, ImageSource, ResolvedImage, SourceOptions } from "../oci/image-source.ts";
import { acceptedDocuments, bareMediaType, isNonDistributable } from "../oci/media-types.ts";
import type { Platform } from "../oci/platform.ts";
import { formatReference, repositoryOf, type Reference } from "../oci/reference.ts";
import { BlobHosts } from "./blob-hosts.ts";
import { blobStream, embeddedBlob } from "./blob-stream.ts";
import { statusError, type Asked } from "./error-body.ts";
import type { RegistryHost } from "./host.ts";
import { askInTurn } from "./hosts.ts";
import { RegistryDocuments } from "./repository-documents.ts";
import type { HttpResponse } from "./response.ts";
import type { SharedDocuments } from "./shared-documents.ts";

export interface RegistryOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  /** What the bodies of blobs keep to, with all other downloads. */
  readonly bandwidth?: BandwidthLimit | undefined;
  /** Shared with other sources; nothing is shared where undefined. */
  readonly documents?: SharedDocuments | undefined;
  /** The hosts that serve the repository, in the order in which they are asked. The source disposes of them. */
  readonly openHosts: () => Promise<readonly RegistryHost[]>;
}

/** One repository's image in a registry, by the OCI distribution specification's pull side. */
export class RegistrySource implements ImageSource, ArtifactSource {
  readonly #reference: Reference;
  readonly #options: RegistryOptions;
  readonly documents: RegistryDocuments;
  #hosts: Promise<readonly RegistryHost[]> | undefined;
  readonly #blobHosts = new BlobHosts();

  constructor(reference: Reference, options: RegistryOptions) {
    this.#reference = reference;
    this.#options = options;
    const { limits, clock } = options;
    const openHosts = () => this.#openHosts();
    this.documents = new RegistryDocuments(repositoryOf(reference), { limits, clock, openHosts });
  }

  async resolve(platform: Platform, options: SourceOptions): Promise<ResolvedImage> {
    const reference = formatReference(this.#reference);
    const root = await this.#fetchRoot(reference, options);
    const reader = {
      manifest: (descriptor: Descriptor) => this.#fetchManifest(descriptor, options),
      config: (descriptor: Descriptor) => this.#fetchConfig(descriptor, options),
    };
    const chosen = await chooseImage(root, platform, reference, reader, this.#options.limits);
    return { reference, repository: repositoryOf(this.#reference), tag: this.#reference.tag, ...chosen };
  }

  async resolveArtifact(platform: Platform, options: SourceOptions): Promise<Artifact> {
    const reference = formatReference(this.#reference);
    const root = await this.#fetchRoot(reference, options);
    const reader = { manifest: (descriptor: Descriptor) => this.#fetchManifest(descriptor, options) };
    const chosen = await chooseArtifact(root, platform, reference, reader, this.#options.limits);
    return { reference, repository: repositoryOf(this.#reference), ...chosen };
  }

  async openBlob(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream> {
    const { digest, data } = descriptor;
    if (data !== undefined) return embeddedBlob(data, offset);
    const subject = `layer ${shortDigest(digest)}`;
    const hosts = await this.#openHosts();
    return await askInTurn(this.#blobHosts.order(hosts, digest), "pull", subject, options, async (host) => {
      const stream = await this.#openBlobAt(host, descriptor, offset, options);
      const { bandwidth } = this.#options;
      const body = bandwidth === undefined ? stream.body : paced(stream.body, bandwidth, options.signal);
      return { ...stream, body, blame: (fault) => this.#blobHosts.blame(hosts, host, digest, fault) };
    });
  }

  async #openBlobAt(
    host: RegistryHost,
    descriptor: Descriptor,
    offset: number,
    options: SourceOptions,
  ): Promise<BlobStream> {
    const asked = { subject: `layer ${shortDigest(descriptor.digest)}`, op: "fetch layer" };
    const headers = {
      ...(offset === 0 ? {} : { range: `bytes=${offset}-` }),
      // A body that is read slowly lies in buffers when the server has long sent all of it. Should the server then
      // close the connection for being idle, undici would throw away what was not read yet: not so on one that was to
      // be closed.
      ...(this.#options.bandwidth?.bytesPerSecond === undefined ? {} : { connection: "close" }),
    };
    return await host.get(`blobs/${descriptor.digest}`, headers, asked, options, async (response) => {
      if (response.status === 200 || response.status === 206) return blobStream(response, descriptor, offset);
      // What we have is past the end of what it has: from the start then, and the digest decides.
      if (response.status === 416 && offset > 0) {
        response.discard();
        return await this.#openBlobAt(host, descriptor, 0, options);
      }
      throw await this.#blobError(response, descriptor, asked);
    });
  }

  /** The document that the reference names. Its digest is that of its bytes, whatever a header says. */
  async #fetchRoot(reference: string, options: SourceOptions): Promise<RootDocument> {
    const { digest: pinned, tag } = this.#reference;
    const asked = { subject: `manifest of ${reference}`, op: "fetch manifest" };
    return await this.#getManifest(pinned ?? tag ?? "latest", asked, options, async (response) => {
      if (response.status === 404) throw manifestUnknown(await this.#statusError(response, asked), reference);
      const { bytes, mediaType } = await this.#readDocument(
        response,
        asked,
        this.#options.limits.documentBytes,
      );
      const digest = pinned ?? claimedDigest(response) ?? digestOf(bytes);
      const actual = digestOf(bytes, algorithmOf(digest));
      if (actual === digest) return { bytes, mediaType, digest };
      throw new BangerError(
        "DIGEST_MISMATCH",
        `${response.url.host} sent ${actual} as the manifest of ${reference}, which should be ${digest}`,
        { op: asked.op },
      );
    });
  }

  /** A manifest that an index names. Verified while its host is known, so that wrong bytes lead to the next one. */
  async #fetchManifest(descriptor: Descriptor, options: SourceOptions): Promise<FetchedDocument> {
    const { digest, size } = descriptor;
    const subject = `manifest ${digest} of ${repositoryOf(this.#reference)}`;
    const asked = { subject, op: "fetch manifest" };
    return await this.#getManifest(digest, asked, options, async (response) => {
      if (response.status === 404) throw manifestUnknown(await this.#statusError(response, asked), subject);
      const document = await this.#readDocument(response, asked, size);
      verifyBytes(document.bytes, descriptor, "manifest");
      return document;
    });
  }

  async #fetchConfig(descriptor: Descriptor, options: SourceOptions): Promise<Uint8Array> {
    const { documents } = this.#options;
    const fetch = (): Promise<Uint8Array> => this.#askForConfig(descriptor, options);
    const key = `${repositoryOf(this.#reference)}@${descriptor.digest} ${descriptor.size}`;
    return documents === undefined ? await fetch() : await documents.get(key, options.signal, fetch);
  }

  async #askForConfig(descriptor: Descriptor, options: SourceOptions): Promise<Uint8Array> {
    const asked = { subject: `config ${shortDigest(descriptor.digest)}`, op: "fetch config" };
    return await this.#ask(`blobs/${descriptor.digest}`, {}, asked, options, async (response) => {
      if (response.status !== 200) throw await this.#blobError(response, descriptor, asked);
      const { bytes } = await this.#readDocument(response, asked, descriptor.size);
      verifyBytes(bytes, descriptor, "config");
      return bytes;
    });
  }

  #getManifest<T>(
    name: string,
    asked: Asked,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    return this.#ask(`manifests/${name}`, { accept: acceptedDocuments.join(", ") }, asked, options, consume);
  }

  /** One GET below the repository, of whichever host has it. Only a tag has to be resolved; a digest is a digest. */
  async #ask<T>(
    path: string,
    headers: Readonly<Record<string, string>>,
    asked: Asked,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const purpose = path.includes(":") ? "pull" : "resolve";
    return await askInTurn(await this.#openHosts(), purpose, asked.subject, options, (host) =>
      host.get(path, headers, asked, options, consume),
    );
  }

  #openHosts(): Promise<readonly RegistryHost[]> {
    this.#hosts ??= this.#options.openHosts();
    return this.#hosts;
  }

  async #readDocument(
    response: HttpResponse,
    asked: Asked,
    size: number,
  ): Promise<FetchedDocument & { bytes: Buffer }> {
    if (response.status !== 200) throw await this.#statusError(response, asked);
    const { documentBytes } = this.#options.limits;
    const { bytes, cut } = await readAtMost(response.body(), Math.min(size, documentBytes));
    if (!cut) return { bytes, mediaType: bareMediaType(response.header("content-type")) };
    if (size >= documentBytes) throw tooLarge(`the ${asked.subject} is longer than allowed`, documentBytes);
    throw new BangerError("SIZE_MISMATCH", `the ${asked.subject} is longer than its ${size} bytes`, {
      op: asked.op,
    });
  }

  async #blobError(
    response: HttpResponse,
    { digest, mediaType }: Descriptor,
    asked: Asked,
  ): Promise<BangerError> {
    const error = await this.#statusError(response, asked);
    if (response.status !== 404) return error;
    const elsewhere = isNonDistributable(mediaType)
      ? "; it is a non-distributable layer, and the other places that the image names are not contacted"
      : "";
    return new BangerError(
      "BLOB_UNKNOWN",
      `${repositoryOf(this.#reference)} has no blob ${digest}${elsewhere}`,
      {
        op: asked.op,
        cause: error,
        hint: "The image is incomplete in this registry; push it again, or pull it from elsewhere.",
        facts: { digest },
      },
    );
  }

  #statusError(response: HttpResponse, asked: Asked): Promise<BangerError> {
    const { limits, clock } = this.#options;
    return statusError(response, asked, limits, clock.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Where they could not be opened, whoever asked for them was told.
    const hosts = await this.#hosts?.catch(() => []);
    await Promise.all((hosts ?? []).map((host) => host[Symbol.asyncDispose]()));
  }
}

/** A header that contradicts the bytes means that one of them was damaged; containerd and oras refuse it too. */
function claimedDigest(response: HttpResponse): Digest | undefined {
  const claimed = response.header("docker-content-digest");
  return claimed !== undefined && isDigest(claimed) ? claimed : undefined;
}

function manifestUnknown(cause: BangerError, reference: string): BangerError {
  return new BangerError("MANIFEST_UNKNOWN", `there is no ${reference} (${cause.message})`, {
    op: "fetch manifest",
    cause,
    hint: "Check the spelling of repository and tag.",
    facts: { reference },
  });
}
