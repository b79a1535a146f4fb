import { algorithmOf, digestOf, isDigest, type Digest } from "../base/digest.ts";
import { BangerError, hasReason } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { readAtMost } from "../base/read-at-most.ts";
import type { Clock } from "../base/retry.ts";
import { tooLarge, type FetchedDocument, type RootDocument } from "../oci/choose.ts";
import { verifyBytes, type Descriptor } from "../oci/descriptor.ts";
import { openDocument } from "../oci/document.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import { acceptedDocuments, bareMediaType, ociIndex } from "../oci/media-types.ts";
import type { RepositoryDocuments } from "../oci/repository-documents.ts";
import { statusError, type Asked } from "./error-body.ts";
import type { RegistryHost } from "./host.ts";
import { askInTurn, type Purpose } from "./hosts.ts";
import type { HttpResponse } from "./response.ts";

export interface DocumentsOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  /** Whoever opens them closes them. */
  readonly openHosts: () => Promise<readonly RegistryHost[]>;
}

/** Pages of a list of referrers: far more than its signatures may be. */
const maxPages = 16;

const op = "fetch signature";

/** What lies beside an image in a registry's repository, asked of its hosts in turn. */
export class RegistryDocuments implements RepositoryDocuments {
  readonly #repository: string;
  readonly #options: DocumentsOptions;

  /** @param repository as people write it, for errors */
  constructor(repository: string, options: DocumentsOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async manifest(name: string, options: SourceOptions): Promise<RootDocument | undefined> {
    const asked = { subject: `manifest ${name} of ${this.#repository}`, op };
    const accept = { accept: acceptedDocuments.join(", ") };
    return await orNothing(() =>
      this.#ask(
        `manifests/${name}`,
        isDigest(name) ? "pull" : "resolve",
        accept,
        asked,
        options,
        async (response) => {
          const { bytes, mediaType } = await this.#read(response, asked, this.#options.limits.documentBytes);
          const digest = digestOf(bytes, isDigest(name) ? algorithmOf(name) : "sha256");
          if (isDigest(name) && digest !== name) throw mismatch(response, asked, digest);
          return { bytes, mediaType, digest };
        },
      ),
    );
  }

  async referrers(
    digest: Digest,
    artifactType: string,
    options: SourceOptions,
  ): Promise<readonly FetchedDocument[]> {
    const pages: FetchedDocument[] = [];
    const path = `referrers/${digest}`;
    let query: string | undefined = `?${new URLSearchParams({ artifactType }).toString()}`;
    while (query !== undefined && pages.length < maxPages) {
      const page = await this.#referrersPage(path, query, options);
      if (page === undefined) break;
      pages.push(page.document);
      query = page.next;
    }
    return pages;
  }

  async blob(descriptor: Descriptor, options: SourceOptions): Promise<Uint8Array> {
    const asked = { subject: `blob ${descriptor.digest} of ${this.#repository}`, op };
    return await this.#ask(`blobs/${descriptor.digest}`, "pull", {}, asked, options, async (response) => {
      const { bytes } = await this.#read(response, asked, descriptor.size);
      verifyBytes(bytes, descriptor, "signature");
      return bytes;
    });
  }

  async withoutMirrors(): Promise<RegistryDocuments | undefined> {
    const hosts = await this.#options.openHosts();
    const registry = hosts.at(-1);
    if (hosts.length < 2 || registry?.place.mayPull !== true || !registry.place.mayResolve) return undefined;
    return new RegistryDocuments(this.#repository, { ...this.#options, openHosts: async () => [registry] });
  }

  /** One page, and what asks for the next. A host without the API, or with nothing to list, leads to the next host. */
  async #referrersPage(
    path: string,
    query: string,
    options: SourceOptions,
  ): Promise<{ readonly document: FetchedDocument; readonly next: string | undefined } | undefined> {
    const asked = { subject: `${path} of ${this.#repository}`, op };
    return await orNothing(() =>
      this.#ask(path + query, "pull", { accept: ociIndex }, asked, options, async (response) => {
        const next = nextPage(response.header("link"), response.url, path);
        const document = await this.#read(response, asked, this.#options.limits.documentBytes);
        const { host } = response.url;
        if (document.mediaType !== ociIndex) throw unknown(asked, `${host} has no referrers API`);
        const { root } = openDocument(document.bytes, ociIndex, asked.subject);
        if (root.at("manifests").list().length === 0 && next === undefined)
          throw unknown(asked, `${host} lists none`);
        return { document, next };
      }),
    );
  }

  async #ask<T>(
    path: string,
    purpose: Purpose,
    headers: Readonly<Record<string, string>>,
    asked: Asked,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const hosts = await this.#options.openHosts();
    return await askInTurn(hosts, purpose, asked.subject, options, (host) =>
      host.get(path, headers, asked, options, consume),
    );
  }

  async #read(
    response: HttpResponse,
    asked: Asked,
    size: number,
  ): Promise<FetchedDocument & { bytes: Buffer }> {
    const { limits, clock } = this.#options;
    if (response.status !== 200) {
      const error = await statusError(response, asked, limits, clock.now());
      throw isAbsent(response.status) ? unknown(asked, error.message, error) : error;
    }
    const limit = Math.min(size, limits.documentBytes);
    const { bytes, cut } = await readAtMost(response.body(), limit);
    if (cut) throw tooLarge(`the ${asked.subject} is longer than it may be`, limit);
    return { bytes, mediaType: bareMediaType(response.header("content-type")) };
  }
}

/** 404, and what registries without a referrers API answer in its place; go-containerregistry takes the same. */
function isAbsent(status: number): boolean {
  return [400, 404, 405, 406, 501].includes(status);
}

function unknown(asked: Asked, message: string, cause?: BangerError): BangerError {
  return new BangerError("MANIFEST_UNKNOWN", message, { op: asked.op, cause });
}

async function orNothing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (hasReason(error, "MANIFEST_UNKNOWN")) return undefined;
    throw error;
  }
}

/** The query of the Link to the next page (RFC 8288), where that is one of the same list. */
function nextPage(link: string | undefined, url: URL, path: string): string | undefined {
  const match = /^\s*<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(link ?? "");
  const target = match?.[1];
  if (target === undefined || !URL.canParse(target, url)) return undefined;
  const next = new URL(target, url);
  return next.origin === url.origin && next.pathname.endsWith(`/${path}`) ? next.search : undefined;
}

function mismatch(response: HttpResponse, { subject }: Asked, digest: Digest): BangerError {
  return new BangerError("DIGEST_MISMATCH", `${response.url.host} sent ${digest} as the ${subject}`, { op });
}
