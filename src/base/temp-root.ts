import { createHash } from "node:crypto";
import { lstat, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { asBangerError } from "./error.ts";
import { makeTempDir, removeTree, type TempDir } from "./files.ts";

/**
 * Makes the folder in which a daemon keeps what it needs while it builds, and removes those that an earlier daemon
 * of the same state folder left when it was killed. They are known by a hash of the state folder in their name and by their
 * owner: in a folder that everyone may write to, a name alone proves nothing. The caller holds the state folder's lock,
 * so that no living daemon's folder is among them; it disposes of the new one.
 *
 * @throws BangerError of the file system.
 */
export async function openTempRoot(parent: string, stateDir: string): Promise<TempDir> {
  const op = "make temporary folder";
  try {
    const hash = createHash("sha256")
      .update(await realpath(stateDir))
      .digest("hex");
    const prefix = `banger-${hash.slice(0, 16)}-`;
    for (const name of await readdir(parent)) {
      const path = join(parent, name);
      if (name.startsWith(prefix) && (await isOurs(path))) await removeTree(path);
    }
    return await makeTempDir(prefix, parent);
  } catch (error) {
    throw asBangerError(error, op);
  }
}

async function isOurs(path: string): Promise<boolean> {
  const stats = await lstat(path);
  return stats.isDirectory() && stats.uid === process.geteuid?.();
}
