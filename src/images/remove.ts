import { rename } from "node:fs/promises";
import { asBangerError, errnoOf, hasReason } from "../base/error.ts";
import { removeTree } from "../base/files.ts";
import { freedBytes } from "../base/tree-bytes.ts";
import { imagePaths, removingDir } from "./layout.ts";

/** Of the store, what removing needs. */
export interface ImageRow {
  /** @throws BangerError IMAGE_IN_USE. */
  condemnImage(id: string): Promise<Disposable>;
  /** @throws BangerError IMAGE_UNKNOWN. */
  deleteImage(id: string): Promise<void>;
}

/**
 * Removes an image that nobody holds. Its folder is renamed, which fails where nothing may be written, and then nothing
 * has changed; its row goes, and then its files. What a kill leaves, a row without a folder or a folder that says that
 * it is being removed, the next start removes.
 *
 * Where the disk has no room left to write even that into the store, the files go first, which makes the room.
 *
 * @param shared names in the image's folder whose bytes others have as well, by reflink
 * @returns bytes that the host's disk got back; a kernel that the store or another image has as well stays.
 * @throws BangerError IMAGE_IN_USE that names the holder, IMAGE_UNKNOWN, or of the file system.
 */
export async function removeImage(
  rows: ImageRow,
  stateDir: string,
  id: string,
  shared: readonly string[] = [],
): Promise<number> {
  const { dir } = imagePaths(stateDir, id);
  const removing = removingDir(stateDir, id);
  try {
    using _condemned = await rows.condemnImage(id);
    const freed = await freedBytes(dir, shared);
    await renameIfThere(dir, removing);
    try {
      await rows.deleteImage(id);
    } catch (error) {
      if (!hasReason(error, "DISK_FULL")) {
        await renameIfThere(removing, dir);
        throw error;
      }
      await removeTree(removing);
      await rows.deleteImage(id);
    }
    await removeTree(removing);
    return freed;
  } catch (error) {
    throw asBangerError(error, "remove image");
  }
}

/** Somebody may have removed it by hand: then only the row is left to go. */
async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
