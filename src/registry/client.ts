import { algorithmOf, digestOf, isDigest, shortDigest, type Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { Clock } from "../base/retry.ts";
import { chooseImage, tooLarge, type FetchedDocument, type RootDocument } from "../oci/choose.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { BlobStream, ImageSource, ResolvedImage, SourceOptions } from "../oci/image-source.ts";
import { acceptedDocuments, bareMediaType, isNonDistributable } from "../oci/media-types.ts";
import type { Platform } from "../oci/platform.ts";
import { formatReference, repositoryOf, type Reference } from "../oci/reference.ts";
import { Authorizer } from "./authorizer.ts";
import { blobStream, embeddedBlob } from "./blob-stream.ts";
import type { Credentials } from "./credentials.ts";
import { baseUrlOf, type Endpoint } from "./endpoint.ts";
import { statusError, type Asked } from "./error-body.ts";
import { readAtMost, type HttpResponse } from "./response.ts";
import { Transport } from "./transport.ts";

export interface RegistryOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly userAgent: string;
  readonly credentials: Credentials | undefined;
  readonly ca: string | undefined;
}

/** A 401 is answered twice at most: the token may have run out between two requests, not more often. */
const maxAnswers = 2;

/** One repository's image in a registry, by the OCI distribution specification's pull side. */
export class RegistrySource implements ImageSource {
  readonly #reference: Reference;
  readonly #endpoint: Endpoint;
  readonly #options: RegistryOptions;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  #base: URL | undefined;

  constructor(reference: Reference, endpoint: Endpoint, options: RegistryOptions) {
    this.#reference = reference;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#transport = new Transport(options);
    this.#authorizer = new Authorizer({ ...options, transport: this.#transport, repository: reference.path });
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

  async openBlob(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream> {
    if (descriptor.data !== undefined) return embeddedBlob(descriptor.data, offset);
    const asked = { subject: `layer ${shortDigest(descriptor.digest)}`, op: "fetch layer" };
    const headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
    return await this.#get(`blobs/${descriptor.digest}`, headers, asked, options, async (response) => {
      if (response.status === 200 || response.status === 206) return blobStream(response, descriptor, offset);
      // What we have is past the end of what it has: from the start then, and the digest decides.
      if (response.status === 416 && offset > 0) {
        response.discard();
        return await this.openBlob(descriptor, 0, options);
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

  /** A manifest that an index names; the caller verifies it. */
  async #fetchManifest({ digest, size }: Descriptor, options: SourceOptions): Promise<FetchedDocument> {
    const subject = `manifest ${digest} of ${repositoryOf(this.#reference)}`;
    const asked = { subject, op: "fetch manifest" };
    return await this.#getManifest(digest, asked, options, async (response) => {
      if (response.status === 404) throw manifestUnknown(await this.#statusError(response, asked), subject);
      return await this.#readDocument(response, asked, size);
    });
  }

  async #fetchConfig(descriptor: Descriptor, options: SourceOptions): Promise<Uint8Array> {
    const asked = { subject: `config ${shortDigest(descriptor.digest)}`, op: "fetch config" };
    return await this.#get(`blobs/${descriptor.digest}`, {}, asked, options, async (response) => {
      if (response.status !== 200) throw await this.#blobError(response, descriptor, asked);
      return (await this.#readDocument(response, asked, descriptor.size)).bytes;
    });
  }

  #getManifest<T>(
    name: string,
    asked: Asked,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    return this.#get(`manifests/${name}`, { accept: acceptedDocuments.join(", ") }, asked, options, consume);
  }

  /** One GET below the repository, with whatever authentication it takes. */
  async #get<T>(
    path: string,
    headers: Readonly<Record<string, string>>,
    asked: Asked,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    this.#base ??= await baseUrlOf(this.#endpoint, this.#options.limits.responseMs, options.signal);
    const base = this.#base;
    const url = new URL(`v2/${this.#reference.path}/${path}`, base);
    let authorization = await this.#authorizer.current(options);
    for (let answers = 0; ; answers++) {
      const request = { url, headers, authorization, ...asked };
      const outcome = await this.#transport.get(request, options, async (response) => {
        // A storage host that asks for credentials gets none: they belong to the registry.
        const mayAnswer = response.url.origin === base.origin && answers < maxAnswers;
        const challenge = response.headers("www-authenticate");
        if (response.status !== 401 || !mayAnswer || challenge.length === 0) {
          return { value: await consume(response) };
        }
        response.discard();
        return { challenge };
      });
      if ("value" in outcome) return outcome.value;
      authorization = await this.#authorizer.answer(outcome.challenge, authorization, base, options);
    }
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
    await this.#transport[Symbol.asyncDispose]();
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
