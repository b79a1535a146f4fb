import type { Digest } from "../base/digest.ts";
import { BangerError, hasReason } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import type { RepositoryDocuments } from "../oci/repository-documents.ts";
import {
  parseReferrers,
  parseSignatureManifest,
  referrersTag,
  signatureArtifacts,
  signatureTag,
  type StoredSignature,
} from "./signature-manifest.ts";

/** Something that was found where signatures are; `place` says where, for people. */
export type Found =
  | { readonly place: string; readonly stored: StoredSignature; readonly bytes: Uint8Array }
  /** What can't be read, and why: a signature, or the place where some may be. */
  | { readonly place: string; readonly unusable: string; readonly isSignature: boolean };

export interface SearchOptions extends SourceOptions {
  readonly documents: RepositoryDocuments;
  readonly limits: Pick<Limits, "signatures" | "signatureBytes">;
}

/** Longest tag of the distribution grammar. */
const longestTag = 128;

/**
 * Looks for the signatures of an image's digests, in the places that cosign writes to: the tag scheme, the referrers
 * API, and the tag that stands in for it. Lazy: what comes after a good one is not fetched.
 */
export class SignatureSearch {
  readonly #options: SearchOptions;
  readonly #seen = new Set<string>();
  #left: number;
  /** Where something was looked for, for people. */
  readonly places: string[] = [];

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#left = options.limits.signatures;
  }

  /** @throws BangerError where the registry can't be asked at all; what is wrong with one answer is in the result */
  async *beside(digest: Digest): AsyncGenerator<Found, void, undefined> {
    const { documents } = this.#options;
    const tag = signatureTag(digest);
    if (tag.length <= longestTag) yield* this.#inManifest(tag, `tag ${tag}`);
    for (const artifactType of signatureArtifacts) {
      const place = `referrers of ${digest}`;
      const pages = await this.#attempt(() => documents.referrers(digest, artifactType, this.#options));
      yield* this.#inReferrers(pages, place);
    }
    const fallback = referrersTag(digest);
    const index = await this.#attempt(() => documents.manifest(fallback, this.#options));
    yield* this.#inReferrers(
      index instanceof BangerError || index === undefined ? index : [index],
      `tag ${fallback}`,
    );
  }

  async *#inReferrers(
    pages: Awaited<ReturnType<RepositoryDocuments["referrers"]>> | BangerError | undefined,
    place: string,
  ): AsyncGenerator<Found, void, undefined> {
    this.#looked(place);
    if (pages instanceof BangerError) yield { place, unusable: pages.message, isSignature: false };
    if (pages === undefined || pages instanceof BangerError) return;
    for (const page of pages) {
      const digests = await this.#attempt(async () => parseReferrers(page, `the list at the ${place}`));
      if (digests instanceof BangerError) yield { place, unusable: digests.message, isSignature: false };
      else for (const digest of digests) yield* this.#inManifest(digest, `referrer ${digest}`);
    }
  }

  /** Signatures of one manifest, each once however many lists lead to it. */
  async *#inManifest(name: string, place: string): AsyncGenerator<Found, void, undefined> {
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    this.#looked(place);
    const { documents } = this.#options;
    const stored = await this.#attempt(async () => {
      const manifest = await documents.manifest(name, this.#options);
      return manifest === undefined ? [] : parseSignatureManifest(manifest);
    });
    if (stored instanceof BangerError) yield { place, unusable: stored.message, isSignature: true };
    else for (const one of stored) yield await this.#read(one, place);
  }

  async #read(stored: StoredSignature, place: string): Promise<Found> {
    const { documents, limits } = this.#options;
    const { descriptor } = stored;
    if (this.#left === 0) {
      throw new BangerError(
        "SIGNATURE_INVALID",
        `none of the first ${limits.signatures} signatures is good, and there are more`,
        {
          op: "verify signature",
          hint: "Have the signatures that are not needed removed: `cosign clean`.",
        },
      );
    }
    this.#left--;
    if (descriptor.size > limits.signatureBytes) {
      const unusable = `it has ${descriptor.size} bytes; the limit is ${limits.signatureBytes}`;
      return { place, unusable, isSignature: true };
    }
    const bytes = descriptor.data ?? (await this.#attempt(() => documents.blob(descriptor, this.#options)));
    if (bytes instanceof BangerError) return { place, unusable: bytes.message, isSignature: true };
    return { place, stored, bytes };
  }

  #looked(place: string): void {
    if (!this.places.includes(place)) this.places.push(place);
  }

  /** An answer that is no good is a result: the next place may have a better one. A network that fails is none. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | BangerError> {
    try {
      return await work();
    } catch (error) {
      if (mayBeElsewhere(error)) return error;
      throw error;
    }
  }
}

function mayBeElsewhere(error: unknown): error is BangerError {
  return hasReason(
    error,
    "MANIFEST_UNKNOWN",
    "BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNSUPPORTED",
    "SIGNATURE_INVALID",
    "DIGEST_MISMATCH",
    "SIZE_MISMATCH",
    "LIMIT_DOCUMENT_SIZE",
    // Some registries answer so for what they don't know, as a referrers API.
    "REGISTRY_AUTH",
    "REGISTRY_PROTOCOL",
  );
}
