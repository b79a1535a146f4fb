import type { Stats } from "node:fs";
import { chmod } from "node:fs/promises";
import { asBangerError } from "../base/error.ts";
import { writeAtomic } from "../base/files.ts";
import {
  removePublished,
  stageFolder,
  type StageOptions,
  type StagedFolder,
} from "../base/published-folder.ts";
import type { Trash } from "../base/trash.ts";
import { imagePaths, removingDir, stagingPaths } from "./layout.ts";

/**
 * An image's folder in the making. Whoever made it disposes of it: unless it was published by then, it is
 * removed with all that is in it.
 */
export interface Staging extends AsyncDisposable {
  readonly dir: string;
  /** To be made by the builder. */
  readonly rootfsPath: string;
  /** To be made by `writeStoredTree`. */
  readonly treePath: string;
  /**
   * Writes `image.json`, makes every byte and every name durable, and gives the folder its final name: it is
   * there whole or not at all, whenever the power goes. The store's row comes after.
   *
   * @param linkedFrom as for `StagedFolder`
   */
  publish(record: object, linkedFrom?: string): Promise<void>;
  /** Takes a published image back, because its row was refused. */
  unpublish(): Promise<void>;
}

/**
 * A VMM writes to its root disk, and `cp` gives the copy the original's mode: 0444 would give it a copy that it
 * can't write. What keeps strangers out is the folder, since the file holds the guest's `/etc/shadow`.
 */
const rootfsMode = 0o644;

export interface StagingOptions extends Pick<StageOptions, "readerGid"> {
  readonly stateDir: string;
  /** Removes what was not published, after it is out of the way; undefined has it gone when disposed of. */
  readonly trash?: Trash;
}

/**
 * Makes `<id>.staging`.
 *
 * @throws BangerError DISK_FULL, PERMISSION_DENIED or INTERNAL.
 */
export async function createStaging(
  id: string,
  { stateDir, trash, readerGid }: StagingOptions,
): Promise<Staging> {
  const { dir } = stagingPaths(stateDir, id);
  const discard = trash && ((path: string) => trash.discard(path, removingDir(stateDir, id)));
  const folder = await named("make staging folder", () => stageFolder(dir, { discard, readerGid }));
  return new ImageStaging(folder, stateDir, id);
}

class ImageStaging implements Staging {
  readonly dir: string;
  readonly rootfsPath: string;
  readonly treePath: string;
  readonly #folder: StagedFolder;
  readonly #stateDir: string;
  readonly #id: string;

  constructor(folder: StagedFolder, stateDir: string, id: string) {
    const { dir, rootfs, tree } = stagingPaths(stateDir, id);
    this.dir = dir;
    this.rootfsPath = rootfs;
    this.treePath = tree;
    this.#folder = folder;
    this.#stateDir = stateDir;
    this.#id = id;
  }

  async publish(record: object, linkedFrom?: string): Promise<void> {
    const { document } = stagingPaths(this.#stateDir, this.#id);
    await named("publish image", async () => {
      await writeAtomic(document, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`), 0o644);
      await chmod(this.rootfsPath, rootfsMode);
      await this.#folder.publish(imagePaths(this.#stateDir, this.#id).dir, linkedFrom);
    });
  }

  async unpublish(): Promise<void> {
    await named("unpublish image", () => removeImageFolder(this.#stateDir, this.#id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await named("remove staging folder", async () => this.#folder[Symbol.asyncDispose]());
  }
}

/**
 * Removes an image's files, out of sight at once. Idempotent; what a kill leaves of it, the next start removes.
 * The row is gone by then, or never was.
 */
export async function removeImageFolder(stateDir: string, id: string): Promise<void> {
  await removePublished(imagePaths(stateDir, id).dir, removingDir(stateDir, id));
}

/** What a file takes on the host's disk, in bytes: stat(2) counts in 512 whatever the block size. */
export function allocatedBytes(stats: Pick<Stats, "blocks">): number {
  return stats.blocks * 512;
}

async function named<T>(op: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asBangerError(error, op);
  }
}
