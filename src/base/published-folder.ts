import { mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
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
   *
   * @param durable names in it under which all files are links of what was made durable before: only their names are
   *   new. A kernel's modules are thousands, and a sync of each may take longer than the image.
   */
  publish(target: string, durable?: ReadonlySet<string>): Promise<void>;
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
    publish: async (target, durable = new Set()) => {
      await syncTree(dir, durable);
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

/** Contents before the names that lead to them. */
async function syncTree(dir: string, durable: ReadonlySet<string>): Promise<void> {
  const files: string[] = [];
  const folders = [dir];
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const [top = ""] = relative(dir, path).split(sep);
    if (entry.isDirectory()) folders.push(path);
    else if (entry.isFile() && !durable.has(top)) files.push(path);
  }
  const turns = files.values();
  const syncRest = async (): Promise<void> => {
    for (const path of turns) await syncFile(path);
  };
  // All have stopped before the first failure is told: its hearer removes the folder.
  const ended = await Promise.allSettled(Array.from({ length: syncsAtOnce }, syncRest));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  for (const path of folders.reverse()) await syncDir(path);
}
