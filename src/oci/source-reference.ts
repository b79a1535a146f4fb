import { resolve } from "node:path";
import { isDigest, type Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";

/** Where an image comes from. */
export type SourceReference =
  | { readonly kind: "registry"; readonly reference: Reference }
  | LayoutReference
  | DockerArchiveReference;

/** What `docker save` writes: a tar archive with `manifest.json`. */
export interface DockerArchiveReference {
  readonly kind: "docker-archive";
  readonly path: string;
  /** A whole name, as `docker.io/library/debian:bookworm`, or its tag alone. */
  readonly tag: string | undefined;
}

/** An OCI image layout: a folder with `index.json`, or a tar archive of one. */
export interface LayoutReference {
  readonly kind: "oci" | "oci-archive";
  /** As given; relative to whose folder, the caller decides. */
  readonly path: string;
  /** Value of the annotation `org.opencontainers.image.ref.name`. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const localScheme = /^(oci|oci-archive|docker-archive):/;

/** Whether it is a folder or an archive of this machine, by how it begins. */
export function isLocalReference(text: string): boolean {
  return localScheme.test(text);
}

/**
 * Tells `oci:DIR[:TAG]`, `oci:DIR@DIGEST`, `oci-archive:FILE[:TAG]` and `docker-archive:FILE[:NAME]` from a name in
 * a registry. A colon in a folder's name works where a slash follows it: `oci:/a:b/c`, `oci:/a:b/`. Not so in
 * docker-archive:, where a whole name, slashes and all, may come after the first colon.
 *
 * @throws BangerError REFERENCE_INVALID
 */
export function parseSourceReference(text: string): SourceReference {
  const match = localScheme.exec(text);
  const rest = text.slice(text.indexOf(":") + 1);
  switch (match?.[1]) {
    case "oci":
    case "oci-archive":
      return parseLayout(match[1], text, rest);
    case "docker-archive":
      return { kind: "docker-archive", ...splitTag(text, rest, rest.indexOf(":")) };
    default:
      return { kind: "registry", reference: parseReference(text) };
  }
}

function parseLayout(kind: LayoutReference["kind"], text: string, rest: string): LayoutReference {
  const at = rest.lastIndexOf("@");
  const digest = rest.slice(at + 1);
  if (at > 0 && isDigest(digest)) return { kind, path: rest.slice(0, at), tag: undefined, digest };
  // Otherwise it would be taken for a folder whose name ends in `@sha256`, with a tag.
  if (at > 0 && /^sha\d+:[^/]*$/i.test(digest)) {
    throw invalid(text, "has a malformed digest; give sha256: and 64 hex digits in lower case");
  }
  return { kind, ...splitTag(text, rest, rest.indexOf(":", rest.lastIndexOf("/") + 1)), digest: undefined };
}

interface TaggedPath {
  readonly path: string;
  readonly tag: string | undefined;
}

function splitTag(text: string, rest: string, colon: number): TaggedPath {
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "" || path.includes("\0")) throw invalid(text, "names no path");
  // OCI image-spec annotations.md allows more characters in a ref.name than a registry does in a tag.
  if (tag !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,255}$/.test(tag)) {
    throw invalid(text, "has a malformed tag");
  }
  return { path, tag };
}

function invalid(text: string, problem: string): BangerError {
  const description = `${JSON.stringify(text.slice(0, 200))} ${problem}`;
  return new BangerError("REFERENCE_INVALID", `reference ${description}`, {
    op: "parse reference",
    hint: "Give one like oci:/folder or oci:/folder:tag.",
    fields: [{ field: "reference", description }],
  });
}

/** As people write it; parsing makes the same source again. */
export function formatSourceReference(source: SourceReference): string {
  if (source.kind === "registry") return formatReference(source.reference);
  const tag = source.tag === undefined ? "" : `:${source.tag}`;
  const digest = source.kind === "docker-archive" || source.digest === undefined ? "" : `@${source.digest}`;
  return `${source.kind}:${source.path}${tag}${digest}`;
}

/**
 * The same reference with its path made absolute against `folder`: what a client sends to a daemon, which has
 * another working directory. Names in a registry stay as given.
 *
 * @throws BangerError REFERENCE_INVALID
 */
export function absoluteSourceReference(text: string, folder: string): string {
  const source = parseSourceReference(text);
  if (source.kind === "registry") return text;
  return formatSourceReference({ ...source, path: resolve(folder, source.path) });
}
