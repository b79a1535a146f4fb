import { printable, type ByteString } from "../base/bytes.ts";
import type { Sliced } from "../base/slices.ts";
import type { Xattr } from "../layers/layer-index.ts";
import type { Inode, RootTree } from "../layers/root-tree.ts";
import { everyName, type NamedInode } from "../layers/tree-walk.ts";

/** One property of a path that is another in the other image, as people read it. */
export interface FieldChange {
  /** `type`, `mode`, `owner`, `size`, `mtime`, `target`, `device`, `content`, or `xattr user.a`. */
  readonly field: string;
  /** Empty where an xattr is not there. */
  readonly before: string;
  readonly after: string;
}

/** A path that is in one image alone, or in both and not the same. */
export interface PathChange {
  readonly path: ByteString;
  readonly before: Inode | undefined;
  readonly after: Inode | undefined;
  /** None unless it is in both. */
  readonly fields: readonly FieldChange[];
}

export interface TreeDiff {
  /** In the order of `everyName`, as many as were asked for. */
  readonly changes: readonly PathChange[];
  readonly truncated: boolean;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

export interface DiffOptions {
  /** Changes that are listed; all are counted. */
  readonly limit: number;
  /** Modification times count for nothing. */
  readonly ignoreTimes: boolean;
  /** Bytes of paths and values that are listed. */
  readonly limitBytes: number;
}

/** Names that are looked at between two pauses. */
const slice = 1000;

/**
 * What is different from one image to another, path by path. Pure. A file's content is known by the hash of its stored
 * bytes and the place of its holes: one that is stored with holes in one image and with zeros in the other counts as
 * changed.
 */
export function* diffTrees(before: RootTree, after: RootTree, options: DiffOptions): Sliced<TreeDiff> {
  const diff = new Diff(options);
  let looked = 0;
  for (const [old, now] of bothInOrder(everyName(before.root), everyName(after.root))) {
    diff.compare(old, now);
    if (++looked % slice === 0) yield;
  }
  return diff.result();
}

class Diff {
  readonly #options: DiffOptions;
  readonly #changes: PathChange[] = [];
  #bytes = 0;
  #added = 0;
  #removed = 0;
  #changed = 0;

  constructor(options: DiffOptions) {
    this.#options = options;
  }

  compare(old: NamedInode | undefined, now: NamedInode | undefined): void {
    const [before, after] = [old?.inode, now?.inode];
    const path = old?.path ?? now?.path;
    if (path === undefined) return;
    const fields = before !== undefined && after !== undefined ? this.#fields(before, after) : [];
    if (before === undefined) this.#added++;
    else if (after === undefined) this.#removed++;
    else if (fields.length > 0) this.#changed++;
    else return;
    this.#list({ path, before, after, fields });
  }

  #fields(before: Inode, after: Inode): readonly FieldChange[] {
    const fields = changedFields(before, after);
    return this.#options.ignoreTimes ? fields.filter(({ field }) => field !== "mtime") : fields;
  }

  #list(change: PathChange): void {
    const { limit, limitBytes } = this.#options;
    const texts = change.fields.flatMap(({ field, before, after }) => [field, before, after]);
    const bytes = texts.reduce((sum, text) => sum + text.length, change.path.length);
    // Once one is left out all are: a list with gaps would look whole.
    const isOpen = this.#changes.length < limit && this.#bytes + bytes <= limitBytes;
    this.#bytes = isOpen ? this.#bytes + bytes : Number.POSITIVE_INFINITY;
    if (isOpen) this.#changes.push(change);
  }

  result(): TreeDiff {
    const [changes, added, removed, changed] = [this.#changes, this.#added, this.#removed, this.#changed];
    return { changes, added, removed, changed, truncated: changes.length < added + removed + changed };
  }
}

/** Two walks side by side: each path once, with what is there in either. */
function* bothInOrder(
  before: Iterator<NamedInode>,
  after: Iterator<NamedInode>,
): Generator<readonly [NamedInode | undefined, NamedInode | undefined], void, undefined> {
  let [old, now] = [before.next(), after.next()];
  while (old.done !== true || now.done !== true) {
    const order =
      old.done === true ? 1 : now.done === true ? -1 : inWalkOrder(old.value.path, now.value.path);
    yield [order <= 0 ? old.value : undefined, order >= 0 ? now.value : undefined];
    if (order <= 0) old = before.next();
    if (order >= 0) now = after.next();
  }
}

/** Which of two paths a walk comes to first: below `a` before `a-b`, though `-` is less than `/`. */
function inWalkOrder(a: ByteString, b: ByteString): number {
  if (a === b) return 0;
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return rankAt(a, at) - rankAt(b, at);
}

/** The end comes first, then the slash, then all other bytes. */
function rankAt(path: ByteString, at: number): number {
  if (at >= path.length) return -2;
  return path[at] === "/" ? -1 : path.charCodeAt(at);
}

/**
 * Whether two inodes are plainly the same, as nearly all are: without a text for each of their properties, which would
 * take most of the time. False says nothing.
 */
function isPlainlySame(a: Inode, b: Inode): boolean {
  const { mtime } = a;
  return (
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    mtime.seconds === b.mtime.seconds &&
    mtime.nanoseconds === b.mtime.nanoseconds &&
    a.xattrs.length === 0 &&
    b.xattrs.length === 0 &&
    ((a.kind === "directory" && b.kind === "directory") || hasSameWholeContent(a, b))
  );
}

function hasSameWholeContent(a: Inode, b: Inode): boolean {
  if (a.kind !== "file" || b.kind !== "file" || a.size !== b.size) return false;
  if (a.content.segments !== undefined || b.content.segments !== undefined) return false;
  return a.content.sha256.equals(b.content.sha256);
}

/** What of two inodes under one path is not the same. */
export function changedFields(before: Inode, after: Inode): readonly FieldChange[] {
  if (isPlainlySame(before, after)) return [];
  const rows: readonly (readonly [string, (inode: Inode) => string])[] = [
    ["type", ({ kind }) => kind],
    ["mode", ({ mode }) => mode.toString(8).padStart(4, "0")],
    ["owner", ({ uid, gid }) => `${uid}:${gid}`],
    ["mtime", ({ mtime }) => timeText(mtime)],
  ];
  const changes = [...rows, ...(before.kind === after.kind ? contentRows : [])].flatMap(([field, text]) => {
    const [old, now] = [text(before), text(after)];
    return old === now ? [] : [{ field, before: old, after: now }];
  });
  return [...changes, ...xattrChanges(before.xattrs, after.xattrs)];
}

const contentRows: readonly (readonly [string, (inode: Inode) => string])[] = [
  ["size", (inode) => (inode.kind === "file" ? String(inode.size) : "")],
  ["content", contentText],
  ["target", (inode) => (inode.kind === "symlink" ? printable(inode.target) : "")],
  [
    "device",
    (inode) => (inode.kind === "character" || inode.kind === "block" ? `${inode.major},${inode.minor}` : ""),
  ],
];

function contentText(inode: Inode): string {
  if (inode.kind !== "file") return "";
  const { sha256, segments } = inode.content;
  const holes = segments?.map(({ offset, length }) => `${offset}+${length}`).join(" ");
  return `sha256:${sha256.toString("hex")}${holes === undefined ? "" : ` at ${holes}`}`;
}

/** As `2026-01-02T03:04:05.000000006Z`: a tree has no time that ext4 can't hold, and those end in 2446. */
function timeText({ seconds, nanoseconds }: Inode["mtime"]): string {
  const date = new Date(seconds * 1000).toISOString().slice(0, -5);
  return `${date}.${String(nanoseconds).padStart(9, "0")}Z`;
}

function xattrChanges(before: readonly Xattr[], after: readonly Xattr[]): readonly FieldChange[] {
  const [old, now] = [before, after].map(
    (xattrs) => new Map(xattrs.map(({ name, value }) => [name, value.toString("hex")])),
  );
  const names = [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])].toSorted();
  return names.flatMap((name) => {
    const [was, is] = [old?.get(name), now?.get(name)];
    if (was === is) return [];
    return [{ field: `xattr ${printable(name)}`, before: valueText(was), after: valueText(is) }];
  });
}

/** Longest value of an xattr that is told. */
const longestValue = 64;

function valueText(hex: string | undefined): string {
  if (hex === undefined) return "";
  return hex.length <= longestValue
    ? `0x${hex}`
    : `0x${hex.slice(0, longestValue)}… (${hex.length / 2} bytes)`;
}
