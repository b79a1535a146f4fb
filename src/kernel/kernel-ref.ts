import { basename, isAbsolute, resolve } from "node:path";
import { BangerError, hasReason } from "../base/error.ts";
import {
  absoluteSourceReference,
  parseSourceReference,
  type SourceReference,
} from "../oci/source-reference.ts";
import type { KernelSource } from "./kernel-source.ts";

/** What a user names a kernel by: one that is here or in a catalog, or the very place that it comes from. */
export type KernelRef =
  | { readonly kind: "name"; readonly name: string }
  | {
      readonly kind: "source";
      readonly source: KernelSource;
      /** The name that it gets where the user gives none; the same for the same place. */
      readonly defaultName: string;
    };

export const kernelNamePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
/** What a catalog may name, too: `catalog-document.ts` and the published schema say the same. */
const urlPattern = /^https?:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?][!-~]*)?$/;

const digestSuffix = /^(.*)@sha256:([^@]*)$/s;
const longestRef = 4096;

/**
 * Tells a kernel's name from `deb:FILE`, `deb:URL@sha256:HEX`, `URL@sha256:HEX` and `artifact:REFERENCE`. Files are
 * absolute: see `absoluteKernelRef`.
 *
 * @throws BangerError NAME_INVALID, REFERENCE_INVALID; both with a field violation for `kernel_ref`
 */
export function parseKernelRef(text: string): KernelRef {
  if (text.length > longestRef) throw invalid(text, `is longer than ${longestRef} characters`);
  if (text.includes("\0")) throw invalid(text, "has a NUL in it");
  if (text.startsWith("deb:")) return parseDeb(text, text.slice("deb:".length));
  if (text.startsWith("artifact:")) return parseArtifact(text, text.slice("artifact:".length));
  if (/^https?:/i.test(text)) return parseUrl(text);
  if (kernelNamePattern.test(text)) return { kind: "name", name: text };
  const description = `${JSON.stringify(text.slice(0, 200))} is no kernel's name`;
  throw new BangerError("NAME_INVALID", `kernel ${description}`, {
    op: "parse kernel reference",
    hint: "Give a name that `banger kernel ls` or `banger kernel catalog` shows, or deb:FILE, deb:URL@sha256:…, URL@sha256:… or artifact:REFERENCE.",
    fields: [{ field: "kernel_ref", description }],
  });
}

/**
 * The same with a package's path made absolute against `folder`: what a client sends to a daemon, which has another
 * working directory. Anything else stays as given.
 */
export function absoluteKernelRef(text: string, folder: string): string {
  if (text.startsWith("artifact:")) {
    return `artifact:${absoluteSourceReference(text.slice("artifact:".length), folder)}`;
  }
  const path = text.slice("deb:".length);
  if (!text.startsWith("deb:") || path === "" || /^https?:/i.test(path)) return text;
  return `deb:${resolve(folder, path)}`;
}

/** As a person would write it, but for a URL's query, which may hold a signature. */
export function formatKernelSource(source: KernelSource): string {
  switch (source.kind) {
    case "artifact":
      return `artifact:${source.reference}`;
    case "url":
      return `${withoutQuery(source.url)}@sha256:${source.sha256}`;
    case "deb": {
      const digest = source.sha256 === undefined ? "" : `@sha256:${source.sha256}`;
      return `deb:${isUrl(source.location) ? withoutQuery(source.location) : source.location}${digest}`;
    }
  }
}

export function isUrl(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/** A URL's form; `new URL` takes more, credentials among it. */
export function isPlainUrl(text: string): boolean {
  return urlPattern.test(text) && URL.canParse(text);
}

function parseDeb(text: string, rest: string): KernelRef {
  const { place, sha256 } = splitDigest(text, rest);
  if (/^https?:/i.test(place)) {
    checkUrl(text, place);
    if (sha256 === undefined) throw noDigest(text);
  } else if (!isAbsolute(place)) throw invalid(text, "names no absolute path of a package");
  return {
    kind: "source",
    source: { kind: "deb", location: place, sha256 },
    // linux-image-6.1.0-42-cloud-amd64_6.1.159-1_amd64.deb: what comes before the version is the package's name.
    defaultName: nameFrom(fileName(place).replace(/(?:_.*)?\.deb$/i, "")),
  };
}

function parseUrl(text: string): KernelRef {
  const { place, sha256 } = splitDigest(text, text);
  checkUrl(text, place);
  if (sha256 === undefined) throw noDigest(text);
  return {
    kind: "source",
    source: { kind: "url", url: place, sha256 },
    defaultName: nameFrom(fileName(place).replace(/(?:\.tar)?\.(?:tar|gz|tgz|xz|zst)$/i, "")),
  };
}

function parseArtifact(text: string, reference: string): KernelRef {
  const source = parsePlace(text, reference);
  if (source.kind === "docker-archive") throw invalid(text, "names an archive of docker save");
  const [path, tag] =
    source.kind === "registry"
      ? [source.reference.path, source.reference.tag ?? source.reference.digest?.slice(7, 19)]
      : [source.path, source.tag];
  const name = nameFrom(tag === undefined ? basename(path) : `${basename(path)}-${tag}`);
  return { kind: "source", source: { kind: "artifact", reference }, defaultName: name };
}

function parsePlace(text: string, reference: string): SourceReference {
  try {
    return parseSourceReference(reference);
  } catch (error) {
    if (!hasReason(error, "REFERENCE_INVALID")) throw error;
    throw invalid(text, "names no artifact", error.message);
  }
}

interface Pinned {
  readonly place: string;
  readonly sha256: string | undefined;
}

function splitDigest(text: string, rest: string): Pinned {
  const match = digestSuffix.exec(rest);
  const [, place = rest, sha256] = match ?? [];
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw invalid(text, "has a malformed digest: sha256: and 64 lower-case hex digits are wanted");
  }
  return { place, sha256 };
}

function checkUrl(text: string, url: string): void {
  if (!isPlainUrl(url)) throw invalid(text, "has a malformed URL, or one with credentials in it");
}

function noDigest(text: string): BangerError {
  return invalid(
    text,
    "is a URL without its digest",
    `Add what \`sha256sum\` says of that file, as its publisher has it: ${shown(text)}@sha256:…`,
  );
}

/** Last part of a path or URL, decoded where it can be. */
function fileName(place: string): string {
  if (!isUrl(place)) return basename(place);
  const name = basename(new URL(place).pathname);
  try {
    return decodeURIComponent(name);
  } catch {
    // A stray percent sign: as it is, then.
    return name;
  }
}

function nameFrom(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 63);
  return name === "" ? "kernel" : name;
}

function withoutQuery(url: string): string {
  const at = url.indexOf("?");
  return at < 0 ? url : `${url.slice(0, at)}?…`;
}

function shown(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function invalid(text: string, problem: string, hint?: string): BangerError {
  const description = `${JSON.stringify(shown(text))} ${problem}`;
  return new BangerError("REFERENCE_INVALID", `kernel reference ${description}`, {
    op: "parse kernel reference",
    hint:
      hint ??
      "Give one like deb:/path/linux-image.deb, deb:URL@sha256:… or artifact:ghcr.io/owner/kernel:6.1.",
    fields: [{ field: "kernel_ref", description }],
  });
}
