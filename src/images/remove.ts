import { asBangerError, hasReason } from "../base/error.ts";
import { freedBytes } from "../base/tree-bytes.ts";
import { imagePaths } from "./layout.ts";
import { removeImageFolder } from "./publish.ts";

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
  try {
    using _condemned = await rows.condemnImage(id);
    const freed = await freedBytes(dir, shared);
    try {
      await rows.deleteImage(id);
      await removeImageFolder(stateDir, id);
    } catch (error) {
      if (!hasReason(error, "DISK_FULL")) throw error;
      await removeImageFolder(stateDir, id);
      await rows.deleteImage(id);
    }
    return freed;
  } catch (error) {
    throw asBangerError(error, "remove image");
  }
}
