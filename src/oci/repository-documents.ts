import type { Digest } from "../base/digest.ts";
import type { FetchedDocument, RootDocument } from "./choose.ts";
import type { Descriptor } from "./descriptor.ts";
import type { SourceOptions } from "./source-options.ts";

/**
 * What lies beside an image in its repository: signatures are found there. All of it is verified against the digest
 * that it was asked for by, and bounded; errors are those of `ImageSource`.
 */
export interface RepositoryDocuments {
  /** A manifest or index, by tag or digest; undefined where no host has one. */
  manifest(name: string, options: SourceOptions): Promise<RootDocument | undefined>;
  /**
   * What the referrers API lists, page by page (OCI distribution-spec, "Listing Referrers"). Registries may leave the
   * filter out. None where the registry has no such API.
   */
  referrers(
    digest: Digest,
    artifactType: string,
    options: SourceOptions,
  ): Promise<readonly FetchedDocument[]>;
  /** A whole blob, which the caller found to be small enough. */
  blob(descriptor: Descriptor, options: SourceOptions): Promise<Uint8Array>;
  /** The same of the registry alone, without its mirrors, which may be behind it; undefined where it has none. */
  withoutMirrors(): Promise<RepositoryDocuments | undefined>;
}
