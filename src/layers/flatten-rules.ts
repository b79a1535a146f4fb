import { printable } from "../base/bytes.ts";
import { shortDigest } from "../base/digest.ts";
import { BangerError, type Reason } from "../base/error.ts";
import type { LayerEntry, LayerIndex } from "./layer-index.ts";

interface Rule {
  readonly reason: Reason;
  /** Ends the sentence that begins with the entry. */
  readonly what: string;
  readonly hint: string;
}

const rebuild = "Rebuild that layer with a current image builder.";
const distrust =
  "Find out who made that layer before you use the image: no image builder writes such an entry.";

/** Every reason for which merging refuses a layer. The keys are the `rule` fact of the error, and stay as they are. */
const rules = {
  "path-empty": { reason: "LAYER_INVALID", what: "has no name", hint: rebuild },
  "path-nul": { reason: "LAYER_UNSAFE", what: "has a NUL byte in its name", hint: distrust },
  "path-escapes-root": { reason: "LAYER_UNSAFE", what: "climbs above the image's root", hint: distrust },
  "path-too-long": {
    reason: "LIMIT_PATH",
    what: "has a longer path than the limit on path bytes allows",
    hint: "Shorten the path; Linux can't open a longer one by its name.",
  },
  "name-too-long": {
    reason: "LAYER_INVALID",
    what: "has a name in its path that is longer than 255 bytes, which no ext4 directory can hold",
    hint: "Shorten that name in the image.",
  },
  "root-not-directory": {
    reason: "LAYER_UNSAFE",
    what: "would make the image's root something else than a directory",
    hint: distrust,
  },
  "lost-and-found-not-directory": {
    reason: "LAYER_UNENCODABLE",
    what: "is what the image has at /lost+found, where ext4 has a directory: e2fsck would put one in its place",
    hint: "Give it another name in the image, or leave it out.",
  },
  "symlink-loop": {
    reason: "LAYER_UNSAFE",
    what: "lies behind more than 40 symbolic links, or a loop of them",
    hint: "Break the loop of symbolic links in the image.",
  },
  "whiteout-empty-name": {
    reason: "LAYER_UNSAFE",
    what: "is a whiteout that names nothing",
    hint: distrust,
  },
  "whiteout-dot-name": {
    reason: "LAYER_UNSAFE",
    what: "is a whiteout of the directory it is in, or of the one above",
    hint: distrust,
  },
  "whiteout-in-path": {
    reason: "LAYER_UNSAFE",
    what: "lies below a whiteout, and a whiteout is no directory",
    hint: distrust,
  },
  "link-target-empty": { reason: "LAYER_INVALID", what: "is a hard link to no name", hint: rebuild },
  "link-target-nul": {
    reason: "LAYER_UNSAFE",
    what: "is a hard link to a name with a NUL byte",
    hint: distrust,
  },
  "link-escapes-root": {
    reason: "LAYER_UNSAFE",
    what: "is a hard link to something above the image's root",
    hint: distrust,
  },
  "link-target-missing": {
    reason: "LAYER_INVALID",
    what: "is a hard link to what neither its layer nor those below have",
    hint: "Rebuild that layer together with the file that it links to.",
  },
  "link-target-directory": {
    reason: "LAYER_INVALID",
    what: "is a hard link to a directory, and Linux has no such thing",
    hint: rebuild,
  },
  "link-to-itself": { reason: "LAYER_INVALID", what: "is a hard link to itself", hint: rebuild },
  "link-cycle": {
    reason: "LAYER_INVALID",
    what: "is a hard link in a circle of hard links, with no file among them",
    hint: rebuild,
  },
  "too-many-links": {
    reason: "LAYER_INVALID",
    what: "is one more name of an inode that has 65,000, all that ext4 can count",
    hint: "Give the image several copies of that file instead of one with so many names.",
  },
  "symlink-target-empty": {
    reason: "LAYER_INVALID",
    what: "is a symbolic link with an empty target",
    hint: rebuild,
  },
  "symlink-target-nul": {
    reason: "LAYER_UNSAFE",
    what: "is a symbolic link with a NUL byte in its target",
    hint: distrust,
  },
  "symlink-target-too-long": {
    reason: "LAYER_INVALID",
    what: "is a symbolic link with a target of more than 4,095 bytes",
    hint: "Shorten the link's target; Linux can't hold a longer one.",
  },
  "acl-malformed": {
    reason: "LAYER_INVALID",
    what: "has a POSIX ACL that is none, and that Linux would not take",
    hint: rebuild,
  },
  "too-many-steps": {
    reason: "LIMIT_PATH",
    what: "is where following paths and symbolic links has become more work than is allowed",
    hint: distrust,
  },
  "file-too-large": {
    reason: "LAYER_UNENCODABLE",
    what: "is larger than any file that ext4 can hold, 16 TiB less a block",
    hint: "Shorten that file in the image; nearly all of it must be a hole.",
  },
  "too-many-entries": {
    reason: "LIMIT_ENTRIES",
    what: "is past the limit on the files and directories of an image",
    hint: "Use a smaller image, or raise entries under [limits] in the config file.",
  },
} as const satisfies Record<string, Rule>;

export type FlattenRule = keyof typeof rules;

/** The entry at hand, for whoever has to name it. One object a layer: `entry` moves along. */
export interface EntrySite {
  readonly layer: LayerIndex;
  /** Position of the layer, from 0 and oldest first. */
  readonly layerNumber: number;
  entry: LayerEntry;
}

/** @throws BangerError always: with the layer, the entry's number and name, and the rule, as text and as facts. */
export function refuse(rule: FlattenRule, site: Pick<EntrySite, "layer" | "entry">): never {
  const { reason, what, hint } = rules[rule];
  const { layer, entry } = site;
  const name = printable(entry.path);
  const links = entry.kind === "hardlink" || entry.kind === "symlink";
  const shown = links ? `${shorten(name)} -> ${shorten(printable(entry.target))}` : shorten(name);
  throw new BangerError(
    reason,
    `layer ${shortDigest(layer.blobDigest)}, entry ${entry.number}, "${shown}" ${what} (${rule})`,
    {
      op: "flatten layers",
      hint,
      facts: { layer: layer.blobDigest, entry: String(entry.number), rule, name },
    },
  );
}

/** A name of thousands of bytes would hide the message around it; the facts have it whole. */
function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
