import { mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "./error.ts";
import { makeDir, removeTree, syncDir, syncFile } from "./files.ts";

/**
 * A folder in the making. Whoever made it disposes of it: unless it was published by then, it is removed with all
 * that is in it.
 */
export interface StagedFolder extends AsyncDisposable {
  readonly dir: string;
  /**
   * Makes every byte and every name durable, and gives the folder its final name, beside the one that it has: it is
   * there whole or not at all, whenever the power goes. Fails where a folder with something in it has that name.
   */
  publish(target: string): Promise<void>;
}

/**
 * Makes the folder, 0700, and those above it where they are missing.
 *
 * @param discard removes what was not published
 */
export async function stageFolder(
  dir: string,
  discard: (path: string) => Promise<void> = removeTree,
): Promise<StagedFolder> {
  await makeDir(dirname(dir));
  await mkdir(dir, { mode: 0o700 });
  let mine: string | undefined = dir;
  return {
    dir,
    publish: async (target) => {
      await syncTree(dir);
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

/** Contents before the names that lead to them. */
async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncFile(path);
  }
  await syncDir(dir);
}
