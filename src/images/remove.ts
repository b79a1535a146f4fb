import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { asBangerError, errnoOf, hasReason } from "../base/error.ts";
import { imagePaths } from "./layout.ts";
import { allocatedBytes, removeImageFolder } from "./publish.ts";

/** Of the store, what removing needs. */
export interface ImageRow {
  /** @throws BangerError IMAGE_IN_USE. */
  condemnImage(id: string): Promise<Disposable>;
  /** @throws BangerError IMAGE_UNKNOWN. */
  deleteImage(id: string): Promise<void>;
}

/**
 * Removes an image that nobody holds: its row first, and from then on there is none. A kill after that leaves a folder
 * without a row, which the next start removes.
 *
 * Where the disk has no room left to write even that into the store, the files go first, which makes the room; a kill
 * then leaves a row without a file system, which the next start removes as well.
 *
 * @returns bytes that the host's disk got back.
 * @throws BangerError IMAGE_IN_USE that names the holder, IMAGE_UNKNOWN, or of the file system.
 */
export async function removeImage(rows: ImageRow, stateDir: string, id: string): Promise<number> {
  const { dir } = imagePaths(stateDir, id);
  try {
    using _condemned = await rows.condemnImage(id);
    const freedBytes = await treeAllocatedBytes(dir);
    try {
      await rows.deleteImage(id);
      await removeImageFolder(stateDir, id);
    } catch (error) {
      if (!hasReason(error, "DISK_FULL")) throw error;
      await removeImageFolder(stateDir, id);
      await rows.deleteImage(id);
    }
    return freedBytes;
  } catch (error) {
    throw asBangerError(error, "remove image");
  }
}

/** What a folder and all below it take on disk; 0 where there is none. */
async function treeAllocatedBytes(path: string): Promise<number> {
  try {
    const stats = await lstat(path);
    let bytes = allocatedBytes(stats);
    if (!stats.isDirectory()) return bytes;
    for (const name of await readdir(path)) bytes += await treeAllocatedBytes(join(path, name));
    return bytes;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw error;
  }
}
