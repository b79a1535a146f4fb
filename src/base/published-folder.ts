import { lstat, mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { errnoOf } from "./error.ts";
import { makeDir, removeTree, syncDir, syncFile } from "./files.ts";
import { letPass } from "./reader-group.ts";

/**
 * A folder in the making. Whoever made it disposes of it: unless it was published by then, it is removed with all
 * that is in it.
 */
export interface StagedFolder extends AsyncDisposable {
  readonly dir: string;
  /**
   * Makes every byte and every name durable, and gives the folder its final name, beside the one that it has: it is
   * there whole or not at all, whenever the power goes. Fails where a folder with something in it has that name.
   *
   * @param linkedFrom a folder that was published before: of what is one inode with the file of the same path there,
   *   only the name is new. A kernel's modules are thousands, and a sync of each may take longer than the image.
   */
  publish(target: string, linkedFrom?: string): Promise<void>;
}

export interface StageOptions {
  /** Removes what was not published. */
  readonly discard?: ((path: string) => Promise<void>) | undefined;
  /**
   * The group that may open what is in the folder once that is published; undefined for nobody. A group that is not this
   * user's to give is not let in.
   */
  readonly readerGid: number | undefined;
}

/** Makes the folder, 0700, and those above it where they are missing. */
export async function stageFolder(
  dir: string,
  { discard = removeTree, readerGid }: StageOptions,
): Promise<StagedFolder> {
  await makeDir(dirname(dir));
  await mkdir(dir, { mode: 0o700 });
  let mine: string | undefined = dir;
  return {
    dir,
    publish: async (target, linkedFrom) => {
      letPass(dir, readerGid);
      await syncTree(dir, linkedFrom);
      await rename(dir, target);
      mine = target;
      await syncDir(dirname(target));
      mine = undefined;
    },
    [Symbol.asyncDispose]: async () => {
      const path = mine;
      mine = undefined;
      if (path !== undefined) await discard(path);
    },
  };
}

/**
 * Removes a published folder, out of sight at once. Idempotent; what a kill leaves of it is under the name `removing`,
 * for the next start to sweep.
 */
export async function removePublished(dir: string, removing: string): Promise<void> {
  try {
    await rename(dir, removing);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  await removeTree(removing);
}

/** Syncs under way at once: one journal commit serves several, and the thread pool has four threads for everybody. */
const syncsAtOnce = 3;

/** What a sync is about: files with new contents, and folders, each before those in it. */
export async function listToSync(
  dir: string,
  linkedFrom?: string,
): Promise<{ readonly files: readonly string[]; readonly folders: readonly string[] }> {
  const files: string[] = [];
  const folders = [dir];
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) folders.push(path);
    else if (entry.isFile() && !(await isLink(path, linkedFrom, relative(dir, path)))) files.push(path);
  }
  return { files, folders };
}

/** Asked of each file: where the disk can do one of reflinks, links and copies for one file, it need not for the next. */
async function isLink(path: string, linkedFrom: string | undefined, name: string): Promise<boolean> {
  if (linkedFrom === undefined) return false;
  const mine = await lstat(path);
  if (mine.nlink < 2) return false;
  try {
    const published = await lstat(join(linkedFrom, name));
    return published.ino === mine.ino && published.dev === mine.dev;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false;
    throw error;
  }
}

/** Contents before the names that lead to them. */
async function syncTree(dir: string, linkedFrom?: string): Promise<void> {
  const { files, folders } = await listToSync(dir, linkedFrom);
  const turns = files.values();
  const syncRest = async (): Promise<void> => {
    for (const path of turns) await syncFile(path);
  };
  // All have stopped before the first failure is told: its hearer removes the folder.
  const ended = await Promise.allSettled(Array.from({ length: syncsAtOnce }, syncRest));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  for (const path of folders.toReversed()) await syncDir(path);
}
