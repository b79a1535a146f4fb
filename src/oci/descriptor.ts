import type { Digest } from "../base/digest.ts";

/** OCI image-spec, descriptor.md: what to fetch, how large it is, and how it hashes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
  /** The content itself, where the document embeds it and it hashes to `digest`. */
  readonly data?: Uint8Array;
  /** Where else the content is said to be; never contacted unless allowed. */
  readonly urls?: readonly string[];
  readonly artifactType?: string;
}
