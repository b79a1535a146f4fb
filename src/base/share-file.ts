import { constants } from "node:fs";
import { copyFile, link } from "node:fs/promises";
import { errnoOf } from "./error.ts";

/** How one file's bytes came to be another's: shared by the file system, by two names of one inode, or not at all. */
export const sharings = ["reflink", "link", "copy"] as const;
export type Sharing = (typeof sharings)[number];

/** What file systems that can't share say of it, and what they say of another disk's file. */
const cannotShare: ReadonlySet<string | undefined> = new Set([
  "EOPNOTSUPP",
  "ENOTSUP",
  "ENOSYS",
  "ENOTTY",
  "EINVAL",
  "EXDEV",
  "EPERM",
  "EMLINK",
]);

/**
 * Gives a file's bytes a second place, with as little copying as the file system allows. Fails where something is
 * there already.
 *
 * @param mayLink whether both may be one inode: only where neither is ever written to
 */
export async function shareFile(from: string, to: string, mayLink: boolean): Promise<Sharing> {
  if (await tried(() => copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE))) {
    return "reflink";
  }
  if (mayLink && (await tried(() => link(from, to)))) return "link";
  await copyFile(from, to, constants.COPYFILE_EXCL);
  return "copy";
}

/** Of several files, the least that was shared. */
export function leastShared(ways: Iterable<Sharing>): Sharing {
  const all = new Set(ways);
  if (all.has("copy")) return "copy";
  return all.has("link") ? "link" : "reflink";
}

async function tried(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (cannotShare.has(errnoOf(error))) return false;
    throw error;
  }
}
