import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { BangerError, messageOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { readSmallFile } from "../base/small-file.ts";

/** NIST SP 800-131A allows no shorter RSA keys for verifying what was signed after 2013. */
const shortestRsa = 2048;

const op = "read signature key";

/**
 * Reads the public keys of a file, one PEM block each: ECDSA P-256 as `cosign generate-key-pair` makes them, and RSA.
 *
 * @throws BangerError SIGNATURE_INVALID: without its key, nothing of the policy's scope may be pulled.
 */
export async function readPublicKeys(
  path: string,
  limits: Pick<Limits, "publicKeyBytes">,
): Promise<readonly KeyObject[]> {
  const text = await readText(path, limits.publicKeyBytes);
  try {
    return parsePublicKeys(text);
  } catch (error) {
    throw unusable(path, messageOf(error), error);
  }
}

/** @throws Error that says what is wrong with the text */
export function parsePublicKeys(text: string): readonly KeyObject[] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) throw new Error("it holds a private key");
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g) ?? [];
  if (blocks.length === 0) throw new Error("it holds no PEM block PUBLIC KEY");
  return blocks.map((block) => {
    const key = createPublicKey(block);
    const problem = problemOf(key);
    if (problem !== undefined) throw new Error(problem);
    return key;
  });
}

function problemOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  switch (asymmetricKeyType) {
    case "ed25519":
      // With these, cosign signs in the pre-hashed variant (RFC 8032, 5.1: Ed25519ph), which node:crypto doesn't have.
      return "it holds an Ed25519 key, whose signatures by cosign can't be verified here";
    case "ec": {
      const curve = asymmetricKeyDetails?.namedCurve ?? "unknown";
      return curve === "prime256v1" ? undefined : `it holds an ECDSA key on ${curve}, not on P-256`;
    }
    case "rsa": {
      const bits = asymmetricKeyDetails?.modulusLength ?? 0;
      return bits >= shortestRsa
        ? undefined
        : `it holds an RSA key of ${bits} bits, fewer than ${shortestRsa}`;
    }
    default:
      return `it holds a key of the kind ${asymmetricKeyType ?? "unknown"}`;
  }
}

/**
 * Whether one of the keys made the signature, as cosign makes them (SIGNATURE_SPEC.md, "Signature Schemes"): ECDSA in
 * DER, or RSA PKCS #1 v1.5, over SHA-256.
 */
export function isSignedBy(keys: readonly KeyObject[], bytes: Uint8Array, signature: Uint8Array): boolean {
  return keys.some((key) => verify("sha256", bytes, key, signature));
}

async function readText(path: string, limit: number): Promise<string> {
  try {
    const bytes = await readSmallFile(path, limit);
    if (bytes === "not a file") throw new Error("it is no file");
    if (bytes === "too large") throw new Error(`it has more than the ${limit} bytes that are allowed`);
    return bytes.toString("latin1");
  } catch (error) {
    throw unusable(path, messageOf(error), error);
  }
}

function unusable(path: string, why: string, cause: unknown): BangerError {
  return new BangerError(
    "SIGNATURE_INVALID",
    `the key ${path} can't be used, so that no signature can be verified: ${why}`,
    {
      op,
      cause,
      hint: "Put the public key there, as `cosign generate-key-pair` writes it to cosign.pub, for the daemon to read.",
      facts: { key: path },
    },
  );
}
