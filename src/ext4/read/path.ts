import { joinBytes, printable, splitPath, utf8Bytes, type ByteString } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Sliced } from "../../base/slices.ts";
import { rootInode, type Ext4Image } from "./image.ts";
import type { Ext4Inode } from "./inode.ts";

/** MAXSYMLINKS of Linux (include/linux/namei.h): more on one way is ELOOP. */
const maxLinks = 40;

export interface PathOptions {
  /** Whether a link at the very end is followed too, as stat(2) does and lstat(2) does not. */
  readonly followLast: boolean;
}

/**
 * The inode that a path leads to inside of the image. Absolute link targets start at the image's root, and ".."
 * stops there; the host's files are never looked at. A trailing slash asks for a directory.
 *
 * @throws BangerError FILE_UNKNOWN where the path leads nowhere, LIMIT_PATH where it is too long, or its way.
 */
export function* resolvePath(image: Ext4Image, path: ByteString, options: PathOptions): Sliced<Ext4Inode> {
  if (path.length > defaultLimits.pathBytes) {
    throw new BangerError("LIMIT_PATH", `the path has ${path.length} bytes`, {
      op,
      hint: "Give a shorter path.",
    });
  }
  const mustBeDirectory = path.endsWith("/");
  // What is still to be walked, last part first, and the directories walked through, the root first.
  const ahead = splitPath(path).toReversed();
  const root = image.inode(rootInode);
  const top: Walked = { name: utf8Bytes(""), inode: root };
  let behind: Walked[] = [top];
  let links = 0;
  let here = root;
  for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
    if (here.kind !== "directory") {
      throw unknown(path, `${printable(part)} is looked for in a ${here.kind}`, behind);
    }
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (behind.length > 1) behind.pop();
      here = behind.at(-1)?.inode ?? root;
      continue;
    }
    const number = yield* image.lookup(here, part);
    // Links may ask for thousands of names in small folders, each of which takes no slice.
    yield;
    if (number === undefined) throw unknown(path, `there is no ${printable(part)}`, behind);
    const next = image.inode(number);
    const isLast = ahead.length === 0;
    if (next.kind === "symlink" && (!isLast || options.followLast || mustBeDirectory)) {
      if (++links > maxLinks) throw unknown(path, `it goes through more than ${maxLinks} links`, behind);
      const target = image.linkTarget(next);
      ahead.push(...splitPath(target).toReversed());
      if (target.startsWith("/")) behind = [top];
      here = behind.at(-1)?.inode ?? root;
      continue;
    }
    here = next;
    if (next.kind === "directory") behind.push({ name: part, inode: next });
  }
  if (mustBeDirectory && here.kind !== "directory") throw unknown(path, `it is a ${here.kind}`, behind);
  return here;
}

const op = "find file";

/** A directory that a path has gone through. */
interface Walked {
  readonly name: ByteString;
  readonly inode: Ext4Inode;
}

/** @param walked the folders that are there, down to the nearest one */
function unknown(path: ByteString, why: string, walked: readonly Walked[]): BangerError {
  const folder = joinBytes(
    walked.map(({ name }) => name),
    "/",
  );
  return new BangerError("FILE_UNKNOWN", `${printable(path)} is not in the image: ${why}`, {
    op,
    facts: { path: printable(path), folder: folder === "" ? "/" : printable(folder) },
  });
}
