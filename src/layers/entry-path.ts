import { joinBytes, sliceBytes, splitPath, type ByteString } from "../base/bytes.ts";

/** A path without `.`, `..`, doubled or outer slashes; the empty one is the root. */
export type CleanPath = ByteString;

/** What is wrong with a path as the archive has it. */
export type PathFault = "empty" | "nul" | "escapes-root" | "name-too-long" | "path-too-long";

export type Cleaned =
  | { readonly path: CleanPath; readonly fault: undefined }
  | { readonly path: undefined; readonly fault: PathFault };

/** What a clean path has not: an empty component, `.` or `..`. */
const unclean = /(?:^|\/)\.{0,2}(?:\/|$)/;

const slash = 0x2f;
const dot = 0x2e;

/**
 * The one spelling of a path: `./a`, `/a`, `a//b/..` and `a/` are all `a`. Only spelling is looked at, no tree: a
 * `..` takes away the component before it, whatever that is (as Go's filepath.Clean does, and so every other
 * program that reads layers), except that one which climbs above the root is a fault.
 */
export function cleanPath(raw: ByteString, bounds: { nameBytes: number; pathBytes: number }): Cleaned {
  if (raw.length === 0) return faulty("empty");
  if (raw.includes("\0")) return faulty("nul");
  let path = trimmed(raw);
  if (path.length > 0 && unclean.test(path)) {
    const reduced = reduce(path);
    if (reduced === undefined) return faulty("escapes-root");
    path = reduced;
  }
  if (path.length > bounds.nameBytes) {
    if (path.length > bounds.pathBytes) return faulty("path-too-long");
    if (longestName(path) > bounds.nameBytes) return faulty("name-too-long");
  }
  return { path, fault: undefined };
}

function faulty(fault: PathFault): Cleaned {
  return { path: undefined, fault };
}

/** Nearly every path in a layer is clean but for a `./` or `/` before and a `/` after it. */
function trimmed(raw: ByteString): ByteString {
  let start = 0;
  let end = raw.length;
  if (raw.charCodeAt(0) === dot && raw.charCodeAt(1) === slash) start = 2;
  else if (raw.charCodeAt(0) === slash) start = 1;
  if (end > start && raw.charCodeAt(end - 1) === slash) end--;
  return start === 0 && end === raw.length ? raw : sliceBytes(raw, start, end);
}

function longestName(path: ByteString): number {
  let longest = 0;
  for (let start = 0; start <= path.length;) {
    const slashAt = path.indexOf("/", start);
    const end = slashAt < 0 ? path.length : slashAt;
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return longest;
}

function reduce(path: ByteString): CleanPath | undefined {
  const kept: ByteString[] = [];
  for (const part of splitPath(path)) {
    if (part === "" || part === ".") continue;
    if (part !== "..") kept.push(part);
    else if (kept.pop() === undefined) return undefined;
  }
  return joinBytes(kept, "/");
}

/** The path of the directory that a clean path's last component is in; the root is its own. */
export function parentPath(path: CleanPath): CleanPath {
  return sliceBytes(path, 0, Math.max(0, path.lastIndexOf("/")));
}

/** The last component of a clean path; of the root, the empty one. */
export function lastName(path: CleanPath): ByteString {
  return sliceBytes(path, path.lastIndexOf("/") + 1);
}

export function joinPath(parent: CleanPath, name: ByteString): CleanPath {
  return parent.length === 0 ? name : joinBytes([parent, name], "/");
}
