import { algorithmOf, digestOf, parseDigest, type Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import type { JsonNode } from "../base/json.ts";

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

/** @throws BangerError with the node's reason, or MANIFEST_INVALID for a digest that is none. */
export function parseDescriptor(node: JsonNode): Descriptor {
  const digest = parseDigest(node.at("digest").text(), "parse descriptor");
  const size = node.at("size").natural();
  const data = embeddedData(node.at("data").optionalText(), digest, size);
  const urls = node.at("urls").texts();
  const artifactType = node.at("artifactType").optionalText();
  return {
    mediaType: node.at("mediaType").text(),
    digest,
    size,
    ...(data === undefined ? {} : { data }),
    ...(urls.length === 0 ? {} : { urls }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** descriptor.md, "Embedded Content": what doesn't hash is not used, and the blob is fetched as any other. */
function embeddedData(text: string | undefined, digest: Digest, size: number): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const data = Buffer.from(text, "base64");
  return data.length === size && digestOf(data, algorithmOf(digest)) === digest ? data : undefined;
}

/** @throws BangerError SIZE_MISMATCH or DIGEST_MISMATCH where the bytes are not what the descriptor says. */
export function verifyBytes(bytes: Uint8Array, descriptor: Descriptor, what: string): void {
  const op = `verify ${what}`;
  const { digest, size } = descriptor;
  if (bytes.length !== size) {
    throw new BangerError("SIZE_MISMATCH", `${what} ${digest} has ${bytes.length} bytes, not ${size}`, {
      op,
    });
  }
  const actual = digestOf(bytes, algorithmOf(digest));
  if (actual !== digest) {
    throw new BangerError("DIGEST_MISMATCH", `${what} ${digest} came with the content of ${actual}`, { op });
  }
}
