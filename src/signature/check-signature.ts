import type { KeyObject } from "node:crypto";
import type { Digest } from "../base/digest.ts";
import { BangerError, hasReason } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { ResolvedImage, SourceOptions } from "../oci/image-source.ts";
import type { RepositoryDocuments } from "../oci/repository-documents.ts";
import { isLocalReference } from "../oci/source-reference.ts";
import { checkStatement, openBundle } from "./bundle.ts";
import { policyFor, type SignaturePolicy } from "./policy.ts";
import { isSignedBy, readPublicKeys } from "./public-keys.ts";
import { canonicalRepository } from "./repository-scope.ts";
import { SignatureSearch, type Found } from "./search.ts";
import { checkSimpleSigning, differs, type Claim } from "./simple-signing.ts";

/** Why an image may be pulled where a policy asks for a signature. */
export interface VerifiedSignature {
  /** Of the policy. */
  readonly scope: string;
  readonly keyPath: string;
  /** What was signed: the image's manifest, or the index that it was chosen from. */
  readonly digest: Digest;
  /** Where the signature is, as `tag sha256-….sig`. */
  readonly place: string;
}

export interface SignatureCheck extends SourceOptions {
  readonly image: Pick<ResolvedImage, "reference" | "repository" | "manifestDigest" | "indexDigest">;
  readonly policies: readonly SignaturePolicy[];
  /** Undefined for a local source, which has none. */
  readonly documents: RepositoryDocuments | undefined;
  readonly limits: Limits;
}

const op = "verify signature";

/** How much of what was wrong is told: gRPC's trailers hold few kilobytes. */
const mostQuotes = 4;
const longestQuote = 300;

/**
 * Asks the policies about an image that was resolved, before anything of its layers is fetched. The signature counts
 * for the repository that the reference names, whichever mirror it came from, and may be of the manifest or of the
 * index that led to it.
 *
 * @returns undefined where no policy asks for a signature
 * @throws BangerError SIGNATURE_REQUIRED where there is none, SIGNATURE_INVALID where none is good or the key can't be
 *   read, and what the registry fails with
 */
export async function checkSignature(check: SignatureCheck): Promise<VerifiedSignature | undefined> {
  const { image, documents, limits } = check;
  const repository = canonicalRepository(image.repository);
  const policy = policyFor(check.policies, repository);
  if (policy?.keyPath === undefined) return undefined;
  const { scope, keyPath } = policy;
  if (documents === undefined || isLocalReference(repository)) throw localRefused(image.reference, scope);
  const keys = await readPublicKeys(keyPath, limits);
  const asked = { ...check, keys, repository };
  const first = await searchIn(documents, asked);
  const verdict = first.accepted === undefined ? await askRegistry(first, documents, asked) : first;
  if (verdict.accepted !== undefined) return { scope, keyPath, ...verdict.accepted };
  throw refused(check, scope, keyPath, refusalOf(verdict));
}

interface Asked extends Omit<SignatureCheck, "documents"> {
  readonly keys: readonly KeyObject[];
  /** Canonical. */
  readonly repository: string;
}

/** What was found beside an image: a good signature, or what was wrong with all. */
interface Verdict {
  readonly accepted: Pick<VerifiedSignature, "digest" | "place"> | undefined;
  readonly problems: readonly string[];
  /** Of the problems, those with a signature. */
  readonly signatures: number;
  readonly places: readonly string[];
}

async function searchIn(documents: RepositoryDocuments, asked: Asked): Promise<Verdict> {
  const { image, keys, repository } = asked;
  const search = new SignatureSearch({ ...asked, documents });
  const problems: string[] = [];
  let signatures = 0;
  const verdict = (accepted?: Verdict["accepted"]): Verdict => {
    return { accepted, problems, signatures, places: search.places };
  };
  for (const digest of new Set([image.indexDigest ?? image.manifestDigest, image.manifestDigest])) {
    for await (const found of search.beside(digest)) {
      const problem = problemOf(found, keys, { digest, repository });
      if (problem === undefined) return verdict({ digest, place: found.place });
      problems.push(`${found.place}: ${problem}`);
      if (!("unusable" in found) || found.isSignature) signatures++;
    }
  }
  return verdict();
}

/**
 * A mirror may have kept a list of signatures from before the one that counts: the registry's own decides, once. What
 * no mirror had, the registry was asked for already.
 */
async function askRegistry(first: Verdict, documents: RepositoryDocuments, asked: Asked): Promise<Verdict> {
  const registry = first.problems.length === 0 ? undefined : await documents.withoutMirrors();
  if (registry === undefined) return first;
  const { onRetry, image } = asked;
  const why = "what a mirror has is no good; asking the registry itself";
  onRetry({ subject: `signature of ${image.reference}`, attempt: 2, delayMs: 0, why });
  try {
    return bothOf(first, await searchIn(registry, asked));
  } catch (error) {
    // Where it is out of reach, as behind a mirror that is there for that, what the mirror says stands.
    if (!hasReason(error, "REGISTRY_UNAVAILABLE", "RATE_LIMITED")) throw error;
    return { ...first, problems: [...first.problems, `the registry itself: ${error.message}`] };
  }
}

/** Of two searches, the second of which decides. */
function bothOf(first: Verdict, second: Verdict): Verdict {
  return {
    accepted: second.accepted,
    problems: [...new Set([...first.problems, ...second.problems])],
    signatures: first.signatures + second.signatures,
    places: [...new Set([...first.places, ...second.places])],
  };
}

/** What is wrong with a signature; undefined where it is good. */
function problemOf(found: Found, keys: readonly KeyObject[], claim: Claim): string | undefined {
  if ("unusable" in found) return found.unusable;
  try {
    const { stored, bytes } = found;
    if (stored.kind === "bundle") {
      const signed = openBundle(bytes);
      requireSigned(keys, signed.bytes, signed.signature);
      checkStatement(signed.statement, claim);
    } else {
      requireSigned(keys, bytes, stored.signature);
      checkSimpleSigning(bytes, claim);
    }
    return undefined;
  } catch (error) {
    if (hasReason(error, "SIGNATURE_INVALID")) return error.message;
    throw error;
  }
}

function requireSigned(keys: readonly KeyObject[], bytes: Uint8Array, signature: Uint8Array): void {
  if (!isSignedBy(keys, bytes, signature)) throw differs("it was not made with the key, or for other bytes");
}

interface Refusal {
  readonly reason: "SIGNATURE_REQUIRED" | "SIGNATURE_INVALID";
  readonly what: string;
  readonly details: string;
}

function refusalOf({ problems, signatures, places }: Verdict): Refusal {
  if (signatures > 0) {
    return { reason: "SIGNATURE_INVALID", what: "has no good signature", details: told(problems) };
  }
  const unread = problems.length === 0 ? "" : ` (${told(problems)})`;
  const details = `there is none at ${places.join(", ")}${unread}`;
  return { reason: "SIGNATURE_REQUIRED", what: "is not signed", details };
}

function refused(
  { image }: Pick<SignatureCheck, "image">,
  scope: string,
  keyPath: string,
  why: Refusal,
): BangerError {
  const { manifestDigest, reference } = image;
  const policy = `the policy for ${scope} asks for one by ${keyPath}`;
  return new BangerError(
    why.reason,
    `${reference} (${manifestDigest}) ${why.what}: ${policy}; ${why.details}`,
    {
      op,
      facts: { scope, key: keyPath, digest: manifestDigest, reference },
    },
  );
}

function told(problems: readonly string[]): string {
  const quotes = problems.slice(0, mostQuotes).map((text) => clip(text));
  const more = problems.length - quotes.length;
  return `${quotes.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

function localRefused(reference: string, scope: string): BangerError {
  return new BangerError(
    "SIGNATURE_REQUIRED",
    `${reference} comes from this machine, where no signatures are looked for: the policy for ${scope} asks for one`,
    {
      op,
      hint: 'Let such images in by a policy of their own: scope = "oci:/srv/images", accept = "unsigned".',
      facts: { scope, reference },
    },
  );
}

function clip(text: string): string {
  return text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text;
}
