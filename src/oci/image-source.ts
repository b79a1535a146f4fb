import type { ChosenImage } from "./choose.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Platform } from "./platform.ts";
import type { RepositoryDocuments } from "./repository-documents.ts";
import type { SourceOptions } from "./source-options.ts";

export type { RetryNotice, SourceOptions } from "./source-options.ts";

/** An image, chosen and parsed: all that is known of it before a layer is fetched. */
export interface ResolvedImage extends ChosenImage {
  /** What was asked for, normalised, as people write it. */
  readonly reference: string;
  /** As `docker.io/library/debian`, or `oci:/folder`. */
  readonly repository: string;
  /** The tag asked for; undefined where it was by digest alone. */
  readonly tag: string | undefined;
}

/** What can be wrong with a blob's bytes, as only who reads them finds out. */
export type BlobFault = "broke off" | "wrong bytes";

/** Bytes of a blob from some offset on. Whoever opened it reads it to its end or aborts the signal. */
export interface BlobStream {
  /** Where in the blob the first byte of `body` lies: 0 where the source can't start in the middle. */
  readonly offset: number;
  /** Each piece is its reader's alone, who may free the buffer that it fills. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Host or folder, for people. */
  readonly from: string;
  /**
   * Tells the source what was wrong with these bytes, so that it asks another place next time. Returns whether there
   * is a place left that has not sent wrong bytes; none where the source has no such choice.
   */
  readonly blame?: (fault: BlobFault) => boolean;
}

/**
 * A place that images come from: a registry, or a folder. It verifies documents; the bytes of `openBlob` are
 * verified by who takes them.
 */
export interface ImageSource extends AsyncDisposable {
  /** What else the repository holds; undefined where the source is no repository. */
  readonly documents?: RepositoryDocuments;
  /** Fetches, verifies and parses index, manifest and config. Writes nothing. */
  resolve(platform: Platform, options: SourceOptions): Promise<ResolvedImage>;
  /**
   * Opens a blob from `offset` on, or from 0 where the source can't start there. Failed requests are repeated
   * inside; what is thrown is final. A body that breaks off fails with REGISTRY_UNAVAILABLE while it is read:
   * whoever reads it asks again from where it got to.
   */
  openBlob(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream>;
}
