import { fromPrintable, utf8Bytes, type ByteString } from "../base/bytes.ts";
import { BangerError } from "../base/error.ts";
import { runInSlices, type Sliced } from "../base/slices.ts";
import type { DirectoryEntry } from "../ext4/read/directory-block.ts";
import { Ext4Image } from "../ext4/read/image.ts";
import type { Ext4Inode } from "../ext4/read/inode.ts";
import { resolvePath } from "../ext4/read/path.ts";
import type { Xattr } from "../layers/layer-index.ts";

/** One name in a folder of an image, and the inode behind it. */
export interface ListedFile {
  readonly name: ByteString;
  readonly inode: Ext4Inode;
  readonly linkTarget: ByteString | undefined;
  readonly xattrs: readonly Xattr[];
}

export interface FilePage {
  readonly files: readonly ListedFile[];
  /** Name to go on after; undefined at the end. */
  readonly next: ByteString | undefined;
}

export interface PageRequest {
  readonly size: number;
  readonly after: ByteString | undefined;
}

/** Names that are looked at between two pauses. */
const namesPerSlice = 1000;

/** Bytes that one page may hold: gRPC clients take messages of 4 MiB, and a link's target alone may have 4 KiB. */
const pageBytes = 2 * 1024 * 1024;

/**
 * Lists what `path` leads to inside an ext4 file, links followed inside the image: a folder's names in the order of
 * their bytes, or the file itself. `path` may have the escapes that `printable` writes. A page ends early where it
 * would become too large for a message.
 *
 * @throws BangerError FILE_UNKNOWN, LIMIT_PATH, FILESYSTEM_CORRUPT.
 */
export function* listFiles(rootfs: string, path: string, page: PageRequest): Sliced<FilePage> {
  using image = Ext4Image.open(rootfs);
  const inode = yield* resolvePath(image, pathBytes(path), { followLast: true });
  if (inode.kind !== "directory") return { files: [listed(image, pathBytes(path), inode)], next: undefined };
  const names = yield* firstNames(image.entries(inode), page.after, page.size + 1);
  const files: ListedFile[] = [];
  let bytes = 0;
  for (const { name, inode: number } of names.slice(0, page.size)) {
    const file = listed(image, name, image.inode(number));
    bytes += bytesOf(file);
    if (files.length > 0 && bytes > pageBytes) break;
    files.push(file);
    yield;
  }
  return { files, next: files.length < names.length ? files.at(-1)?.name : undefined };
}

/** The first of the names that come after one, in their order. A folder may have millions: few are kept at a time. */
function* firstNames(
  entries: Iterable<DirectoryEntry>,
  after: ByteString | undefined,
  count: number,
): Sliced<readonly DirectoryEntry[]> {
  let kept: DirectoryEntry[] = [];
  let last: ByteString | undefined;
  let looked = 0;
  const cut = (): void => {
    kept = kept.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, count);
    if (kept.length === count) last = kept.at(-1)?.name;
  };
  for (const entry of entries) {
    if (++looked % namesPerSlice === 0) yield;
    if ((after !== undefined && entry.name <= after) || (last !== undefined && entry.name > last)) continue;
    kept.push(entry);
    if (kept.length >= 2 * count + namesPerSlice) cut();
  }
  cut();
  return kept;
}

/** What a file takes of its page, besides some numbers. */
function bytesOf({ name, linkTarget, xattrs }: ListedFile): number {
  const values = xattrs.reduce((sum, xattr) => sum + 4 * xattr.name.length + xattr.value.length, 0);
  return name.length + (linkTarget?.length ?? 0) + values + 128;
}

/** Bytes read from the image at a time, and sent in one message. */
const chunkBytes = 256 * 1024;

/**
 * The bytes of a file inside an ext4 file, from `offset` on, `length` of them or all. Opens the image while it is
 * iterated. Holes are zeros.
 *
 * @throws BangerError FILE_UNKNOWN where the path leads to no regular file, FILESYSTEM_CORRUPT.
 */
export async function* readFilePieces(
  rootfs: string,
  path: string,
  range: { readonly offset: number; readonly length: number | undefined },
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  using image = Ext4Image.open(rootfs);
  const inode = await runInSlices(resolvePath(image, pathBytes(path), { followLast: true }), signal);
  if (inode.kind !== "file") {
    throw new BangerError("FILE_UNKNOWN", `${path} is a ${inode.kind} and has no content to read`, {
      op: "read file",
      facts: { folder: path },
    });
  }
  const end = Math.min(inode.size, range.length === undefined ? inode.size : range.offset + range.length);
  for (let at = range.offset; at < end; at += chunkBytes) {
    yield image.read(inode, at, Math.min(chunkBytes, end - at));
  }
}

function pathBytes(path: string): ByteString {
  return path === "" ? utf8Bytes("/") : fromPrintable(path);
}

function listed(image: Ext4Image, name: ByteString, inode: Ext4Inode): ListedFile {
  const linkTarget = inode.kind === "symlink" ? image.linkTarget(inode) : undefined;
  return { name, inode, linkTarget, xattrs: image.xattrs(inode) };
}
