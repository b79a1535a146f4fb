import type { Stats } from "node:fs";
import { chmod, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { asBangerError, errnoOf } from "../base/error.ts";
import { makeDir, removeTree, syncDir, syncFile, writeAtomic } from "../base/files.ts";
import { imagePaths, imagesDir, removingDir, stagingPaths } from "./layout.ts";

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
   */
  publish(record: object): Promise<void>;
  /** Takes a published image back, because its row was refused. */
  unpublish(): Promise<void>;
}

/**
 * A VMM writes to its root disk, and `cp` gives the copy the original's mode: 0444 would give it a copy that it
 * can't write. What keeps strangers out is the folder, 0700, since the file holds the guest's `/etc/shadow`.
 */
const rootfsMode = 0o644;

/** Makes `<id>.staging`. @throws BangerError DISK_FULL, PERMISSION_DENIED or INTERNAL. */
export async function createStaging(stateDir: string, id: string): Promise<Staging> {
  const staging = stagingPaths(stateDir, id);
  await named("make staging folder", async () => {
    await makeDir(imagesDir(stateDir));
    await mkdir(staging.dir, { mode: 0o700 });
  });
  return new ImageStaging(stateDir, id);
}

class ImageStaging implements Staging {
  readonly dir: string;
  readonly rootfsPath: string;
  readonly treePath: string;
  readonly #stateDir: string;
  readonly #id: string;
  /** What disposing removes. */
  #mine: string | undefined;

  constructor(stateDir: string, id: string) {
    const { dir, rootfs, tree } = stagingPaths(stateDir, id);
    this.dir = dir;
    this.rootfsPath = rootfs;
    this.treePath = tree;
    this.#stateDir = stateDir;
    this.#id = id;
    this.#mine = dir;
  }

  async publish(record: object): Promise<void> {
    const { document } = stagingPaths(this.#stateDir, this.#id);
    const published = imagePaths(this.#stateDir, this.#id).dir;
    await named("publish image", async () => {
      await writeAtomic(document, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`), 0o644);
      await chmod(this.rootfsPath, rootfsMode);
      await syncTree(this.dir);
      await rename(this.dir, published);
      this.#mine = published;
      await syncDir(imagesDir(this.#stateDir));
    });
    this.#mine = undefined;
  }

  async unpublish(): Promise<void> {
    await named("unpublish image", () => removeImageFolder(this.#stateDir, this.#id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const mine = this.#mine;
    this.#mine = undefined;
    if (mine !== undefined) await named("remove staging folder", () => removeTree(mine));
  }
}

/**
 * Removes an image's files, out of sight at once. Idempotent; what a kill leaves of it, the next start removes.
 * The row is gone by then, or never was.
 */
export async function removeImageFolder(stateDir: string, id: string): Promise<void> {
  const removing = removingDir(stateDir, id);
  try {
    await rename(imagePaths(stateDir, id).dir, removing);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  await removeTree(removing);
}

/** What a file takes on the host's disk, in bytes: stat(2) counts in 512 whatever the block size. */
export function allocatedBytes(stats: Pick<Stats, "blocks">): number {
  return stats.blocks * 512;
}

/** Contents before the names that lead to them. */
async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncFile(path);
  }
  await syncDir(dir);
}

async function named<T>(op: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asBangerError(error, op);
  }
}
