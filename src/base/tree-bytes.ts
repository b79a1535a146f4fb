import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "./error.ts";

/** What a folder and all below it take on the host's disk. */
export interface TreeBytes {
  readonly allocated: number;
  /** Of those, what removing it gives back: an inode that has a name elsewhere too stays. */
  readonly exclusive: number;
}

/**
 * What removing a folder gives back where some of what is in it shares its bytes with others by reflink, which no inode
 * tells.
 *
 * @param shared names in the folder
 */
export async function freedBytes(path: string, shared: readonly string[]): Promise<number> {
  let { exclusive } = await treeBytes(path);
  for (const name of shared) exclusive -= (await treeBytes(join(path, name))).exclusive;
  return exclusive;
}

/** Follows no link; nothing where there is nothing. */
export async function treeBytes(path: string): Promise<TreeBytes> {
  try {
    const stats = await lstat(path);
    // stat(2) counts in 512 bytes whatever the block size.
    const own = stats.blocks * 512;
    if (!stats.isDirectory()) return { allocated: own, exclusive: stats.nlink > 1 ? 0 : own };
    const below = [];
    for (const name of await readdir(path)) below.push(await treeBytes(join(path, name)));
    return {
      allocated: below.reduce((sum, { allocated }) => sum + allocated, own),
      exclusive: below.reduce((sum, { exclusive }) => sum + exclusive, own),
    };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { allocated: 0, exclusive: 0 };
    throw error;
  }
}
