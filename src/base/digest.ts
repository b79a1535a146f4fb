import { createHash, type Hash } from "node:crypto";
import { BangerError } from "./error.ts";

declare const digestBrand: unique symbol;

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. Nothing else ever becomes one, so it is safe in a path. */
export type Digest = string & { readonly [digestBrand]: true };

export type DigestAlgorithm = "sha256" | "sha512";

/** OCI image-spec, descriptor.md, "Registered algorithms". */
const pattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** @throws BangerError MANIFEST_INVALID for anything that is not a digest of a registered algorithm. */
export function parseDigest(text: string, op: string): Digest {
  if (isDigest(text)) return text;
  throw new BangerError(
    "MANIFEST_INVALID",
    `${JSON.stringify(text.slice(0, 200))} is not a sha256 or sha512 digest`,
    {
      op,
    },
  );
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** First 12 hex digits, as people quote digests. */
export function shortDigest(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}

/** Hashes a stream of pieces with the algorithm of the digest that they are expected to have. */
export class Digester {
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: Hash;

  constructor(algorithm: DigestAlgorithm = "sha256") {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(piece: Uint8Array): void {
    this.#hash.update(piece);
  }

  /** Ends the hash; call once. */
  digest(): Digest {
    return parseDigest(`${this.#algorithm}:${this.#hash.digest("hex")}`, "hash");
  }
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  const digester = new Digester(algorithm);
  digester.update(bytes);
  return digester.digest();
}
