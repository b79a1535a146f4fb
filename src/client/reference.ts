import { resolve } from "node:path";

/** What of this machine comes after a reference's scheme. */
export const localSchemes = { oci: "folder", "oci-archive": "file", "docker-archive": "file" } as const;

const schemes = Object.keys(localSchemes).join("|");
const prefix = new RegExp(`^(?:${schemes}):`);
const local = new RegExp(`^(?<scheme>${schemes}):(?<path>.+)$`, "s");

/** Whether it is a folder or an archive of this machine, by how it begins. */
export function isLocalReference(reference: string): boolean {
  return prefix.test(reference);
}

/**
 * The reference as the daemon can read it: a path relative to the caller's folder means nothing to a daemon, so
 * it is made absolute. A tag after the last colon stays one; a registry's reference is left alone.
 */
export function absoluteReference(reference: string, folder: string): string {
  const groups = local.exec(reference)?.groups;
  const scheme = groups?.["scheme"];
  const path = groups?.["path"];
  if (scheme === undefined || path === undefined || path.startsWith("/")) return reference;
  // The path's own part before a tag or digest: resolve() would fold `dir:..` were they taken together.
  const at = path.search(/[@:]/);
  const head = at < 0 ? path : path.slice(0, at);
  const tail = at < 0 ? "" : path.slice(at);
  return `${scheme}:${resolve(folder, head)}${tail}`;
}
