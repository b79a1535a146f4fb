import type { Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import { parseJson } from "../base/json.ts";
import { parseReference, repositoryOf } from "../oci/reference.ts";
import { canonicalRepository } from "./repository-scope.ts";

export const simpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json";

const signatureType = "cosign container image signature";

/** What a signature must be about. */
export interface Claim {
  readonly digest: Digest;
  /** Canonical. */
  readonly repository: string;
}

const op = "verify signature";

/**
 * Holds a payload of cosign's against what it must say (cosign SIGNATURE_SPEC.md, "Simple Signing"; the format is that
 * of containers-signature(5)). cosign itself compares the digest alone; so that a signature made for one repository
 * doesn't count in another, the identity is compared too, without its tag, which is no part of what is signed.
 *
 * @throws BangerError SIGNATURE_INVALID that says what differs
 */
export function checkSimpleSigning(payload: Uint8Array, claim: Claim): void {
  const root = parseJson(payload, { reason: "SIGNATURE_INVALID", op, subject: "its payload" });
  const critical = root.at("critical");
  const type = critical.at("type").text();
  if (type !== signatureType) throw differs(`its payload is of the type ${quote(type)}`);
  const digest = critical.at("image").at("docker-manifest-digest").text();
  if (digest !== claim.digest) throw differs(`its payload is about ${quote(digest)}`);
  const identity = critical.at("identity").at("docker-reference").text();
  const signed = parseIdentity(identity);
  if (signed?.repository !== claim.repository) {
    throw differs(`its payload is about the repository ${quote(identity)}`);
  }
  if (signed.digest !== undefined && signed.digest !== claim.digest) {
    throw differs(`its payload is about ${quote(identity)}`);
  }
}

interface Identity {
  readonly repository: string;
  readonly digest: Digest | undefined;
}

/** cosign writes the repository, and with `--sign-container-identity` whatever it is given: a tag and digest too. */
function parseIdentity(text: string): Identity | undefined {
  try {
    const reference = parseReference(text);
    return { repository: canonicalRepository(repositoryOf(reference)), digest: reference.digest };
  } catch (error) {
    if (error instanceof BangerError) return undefined;
    throw error;
  }
}

export function differs(what: string): BangerError {
  return new BangerError("SIGNATURE_INVALID", what, { op });
}

/** No escape of a payload's reaches a terminal, nor more of it than a line. */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
