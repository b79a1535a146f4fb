import { sliceBytes, type ByteString } from "../base/bytes.ts";
import type { CleanPath } from "./entry-path.ts";
import type { FlattenRule } from "./flatten-rules.ts";

/** OCI image-spec, layer.md, "Whiteouts". The prefix, and the opaque marker's name, come from AUFS. */
const prefix = ".wh.";
const opaqueName = ".wh..wh..opq";

/** What AUFS keeps at the root of a branch: its own data, orphans, and pseudo-links (see aufs(5), "plink"). */
const aufsNames: ReadonlySet<string> = new Set([".wh..wh.aufs", ".wh..wh.orph", ".wh..wh.plnk"]);

/** What a path stands for, by its names alone. */
export type PathMeaning =
  | { readonly kind: "plain" }
  /** Hides that name of the layers below. */
  | { readonly kind: "whiteout"; readonly name: ByteString }
  /** Hides all that the layers below have in its directory. */
  | { readonly kind: "opaque" }
  /** AUFS's book-keeping, no content. */
  | { readonly kind: "aufs" }
  | { readonly kind: "refused"; readonly rule: FlattenRule };

const plain: PathMeaning = { kind: "plain" };

/** Quickly false for paths that can't mean anything but themselves. */
export function mayMeanWhiteout(path: ByteString): boolean {
  return path.includes(prefix);
}

/** Whether a name is kept for markers, so that nothing in a tree may have it. */
export function isWhiteoutName(name: ByteString): boolean {
  return name.startsWith(prefix);
}

export function meaningOf(path: CleanPath): PathMeaning {
  for (let start = 0; start < path.length;) {
    const slash = path.indexOf("/", start);
    const end = slash < 0 ? path.length : slash;
    if (path.startsWith(prefix, start)) {
      const name = sliceBytes(path, start, end);
      if (aufsNames.has(name)) return { kind: "aufs" };
      return end < path.length ? { kind: "refused", rule: "whiteout-in-path" } : meaningOfLast(name);
    }
    start = end + 1;
  }
  return plain;
}

function meaningOfLast(name: ByteString): PathMeaning {
  if (name === opaqueName) return { kind: "opaque" };
  const hidden = sliceBytes(name, prefix.length);
  // umoci and containerd would take the two latter for the directory itself, and for the one above it.
  if (hidden === "") return { kind: "refused", rule: "whiteout-empty-name" };
  if (hidden === "." || hidden === "..") return { kind: "refused", rule: "whiteout-dot-name" };
  return { kind: "whiteout", name: hidden };
}
