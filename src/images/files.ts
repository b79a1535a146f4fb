import { fromPrintable, utf8Bytes, type ByteString } from "../base/bytes.ts";
import { BangerError } from "../base/error.ts";
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

/**
 * Lists what `path` leads to inside an ext4 file, links followed inside the image: a folder's names in the order of
 * their bytes, or the file itself. `path` may have the escapes that `printable` writes.
 *
 * @throws BangerError FILE_UNKNOWN, LIMIT_PATH, FILESYSTEM_CORRUPT.
 */
export function listFiles(
  rootfs: string,
  path: string,
  page: { readonly size: number; readonly after: ByteString | undefined },
): FilePage {
  using image = Ext4Image.open(rootfs);
  const inode = resolvePath(image, pathBytes(path), { followLast: true });
  if (inode.kind !== "directory") return { files: [listed(image, pathBytes(path), inode)], next: undefined };
  const { size, after } = page;
  const names = [...image.entries(inode)]
    .filter(({ name }) => after === undefined || name > after)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const shown = names.slice(0, size);
  return {
    files: shown.map(({ name, inode: number }) => listed(image, name, image.inode(number))),
    next: names.length > size ? shown.at(-1)?.name : undefined,
  };
}

/** Bytes read from the image at a time, and sent in one message. */
const chunkBytes = 256 * 1024;

/**
 * The bytes of a file inside an ext4 file, from `offset` on, `length` of them or all. Opens the image while it is
 * iterated. Holes are zeros.
 *
 * @throws BangerError FILE_UNKNOWN where the path leads to no regular file, FILESYSTEM_CORRUPT.
 */
export function* readFilePieces(
  rootfs: string,
  path: string,
  range: { readonly offset: number; readonly length: number | undefined },
): Generator<Buffer, undefined, undefined> {
  using image = Ext4Image.open(rootfs);
  const inode = resolvePath(image, pathBytes(path), { followLast: true });
  if (inode.kind !== "file") {
    throw new BangerError("FILE_UNKNOWN", `${path} is a ${inode.kind} and has no content to read`, {
      op: "read file",
      hint: "List it instead: `banger image files IMAGE PATH`.",
    });
  }
  const end = Math.min(inode.size, range.length === undefined ? inode.size : range.offset + range.length);
  for (let at = range.offset; at < end; at += chunkBytes) {
    yield image.read(inode, at, Math.min(chunkBytes, end - at));
  }
  return undefined;
}

function pathBytes(path: string): ByteString {
  return path === "" ? utf8Bytes("/") : fromPrintable(path);
}

function listed(image: Ext4Image, name: ByteString, inode: Ext4Inode): ListedFile {
  const linkTarget = inode.kind === "symlink" ? image.linkTarget(inode) : undefined;
  return { name, inode, linkTarget, xattrs: image.xattrs(inode) };
}
