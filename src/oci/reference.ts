import { isDigest, type Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";

/** An image in a registry, in its normal form. */
export interface Reference {
  /** Host, and port where one is given, as `docker.io` or `[::1]:5000`. */
  readonly domain: string;
  /** As `library/debian`. */
  readonly path: string;
  /** `latest` where neither tag nor digest is given. */
  readonly tag: string | undefined;
  /** Decides what is fetched, where there is a tag too. */
  readonly digest: Digest | undefined;
}

// The grammar of distribution/reference, `reference.go` and `regexp.go`.
const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domainName = `${domainComponent}(?:\\.${domainComponent})*`;
const domainPattern = new RegExp(`^(?:${domainName}|\\[[a-fA-F0-9:]+\\])(?::([0-9]+))?$`);
const pathComponent = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
/** Of a repository's path in its registry. */
export const repositoryPath = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
/** A bare image id is refused there: it can't be told from a repository of that name. */
const identifierPattern = /^[a-f0-9]{64}$/;
const maxPathLength = 255;
/** Far above what the grammar can need; keeps the patterns above off megabytes. */
const maxReferenceLength = 1024;

/** Docker Hub's names for itself; the first is the one that references have. */
export const hubDomains: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
]);

const defaultDomain = "docker.io";
const legacyDefaultDomain = "index.docker.io";
const officialPrefix = "library/";

/**
 * Parses an image's name as Docker does: `debian`, `owner/app:1.2`, `localhost:5000/app`,
 * `ghcr.io/owner/app:tag@sha256:…`.
 *
 * @throws BangerError REFERENCE_INVALID with a field violation for `reference`.
 */
export function parseReference(text: string): Reference {
  if (text === "") throw invalid(text, "is empty");
  if (text.length > maxReferenceLength)
    throw invalid(text, `is longer than ${maxReferenceLength} characters`);
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text) ?? [];
  if (scheme !== undefined) {
    const rest = text.slice(scheme.length);
    throw invalid(text, `starts with ${scheme}`, `Leave ${scheme} out${rest === "" ? "" : `: ${rest}`}`);
  }
  if (identifierPattern.test(text)) throw invalid(text, "is an image id, not a name");
  const { name, tag, digest } = splitSuffixes(text);
  const { domain, path } = splitDomain(name);
  checkDomain(text, domain);
  checkPath(text, path);
  return { domain, path, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

interface Suffixes {
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

function splitSuffixes(text: string): Suffixes {
  const at = text.indexOf("@");
  const digestText = at < 0 ? undefined : text.slice(at + 1);
  const digest = digestText === undefined ? undefined : checkDigest(text, digestText);
  const tagged = at < 0 ? text : text.slice(0, at);
  // A colon after the last slash starts a tag; one before it a port.
  const colon = tagged.indexOf(":", tagged.lastIndexOf("/") + 1);
  if (colon < 0) return { name: tagged, tag: undefined, digest };
  const tag = tagged.slice(colon + 1);
  if (!tagPattern.test(tag)) {
    throw invalid(
      text,
      "has a malformed tag",
      "A tag is at most 128 letters, digits, dots, dashes and underscores, and starts with none of .-",
    );
  }
  return { name: tagged.slice(0, colon), tag, digest };
}

function checkDigest(text: string, digest: string): Digest {
  if (isDigest(digest)) return digest;
  throw invalid(
    text,
    "has a malformed digest",
    "Give sha256: and 64 lower-case hex digits (or sha512: and 128).",
  );
}

/** `splitDockerDomain`: the first part is a host if it could not be anything else. */
function splitDomain(name: string): { readonly domain: string; readonly path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain =
    first !== "" && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const given = isDomain ? first : defaultDomain;
  const domain = given === legacyDefaultDomain ? defaultDomain : given;
  const path = isDomain ? name.slice(slash + 1) : name;
  return { domain, path: domain === defaultDomain && !path.includes("/") ? officialPrefix + path : path };
}

function checkDomain(text: string, domain: string): void {
  const match = domainPattern.exec(domain);
  const port = Number(match?.[1] ?? 443);
  if (match === null || port < 1 || port > 65_535 || !URL.canParse(`https://${domain}/`)) {
    throw invalid(text, `names a malformed registry host ${JSON.stringify(domain)}`, pathHint(text));
  }
}

function checkPath(text: string, path: string): void {
  if (path.length > maxPathLength) throw invalid(text, `has a repository longer than ${maxPathLength}`);
  if (repositoryPath.test(path)) return;
  const lower = path.toLowerCase();
  if (path !== lower && repositoryPath.test(lower)) {
    throw invalid(text, "has upper-case letters in its repository", `Repositories are lower case: ${lower}`);
  }
  throw invalid(text, "has a malformed repository", pathHint(text));
}

/** What looks like a path of this machine is likely to be meant as one; undefined where it does not. */
function pathHint(text: string): string | undefined {
  if (!/^(?:\/|\.{1,2}\/|~\/)/.test(text)) return undefined;
  const shown = text.slice(0, 200);
  return `For a folder with an OCI image layout write oci:${shown}, for an archive oci-archive:${shown} or docker-archive:${shown}.`;
}

function invalid(text: string, problem: string, hint?: string): BangerError {
  const description = `${JSON.stringify(text.slice(0, 200))} ${problem}`;
  return new BangerError("REFERENCE_INVALID", `reference ${description}`, {
    op: "parse reference",
    hint: hint ?? "Give one like debian:bookworm, ghcr.io/owner/app:1.2 or oci:/folder.",
    fields: [{ field: "reference", description }],
  });
}

/** Host and path, as `docker.io/library/debian`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The whole name, from which parsing makes the same reference again. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${repositoryOf(reference)}${tag}${digest}`;
}
