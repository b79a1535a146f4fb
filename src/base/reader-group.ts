import type { Stats } from "node:fs";
import { chmod, chown, stat } from "node:fs/promises";
import { errnoOf } from "./error.ts";

/** The owner alone; and with it a group that may open what it knows by name, and list nothing. */
const ownerMode = 0o700;
const groupMode = 0o710;

/** Whether a folder lets its owner pass and, where there is a group, that group: and nobody else. */
export function letsPass({ mode, gid }: Pick<Stats, "mode" | "gid">, readerGid: number | undefined): boolean {
  if (readerGid === undefined) return (mode & 0o777) === ownerMode;
  return (mode & 0o777) === groupMode && gid === readerGid;
}

/**
 * Lets the members of a group pass through a folder of this user's, or nobody besides this user where there is none.
 * Idempotent, and never lets in more than that on the way.
 *
 * @returns false where the group is not this user's to give (chown(2): root may, and members): nobody passes then
 */
export async function letPass(dir: string, readerGid: number | undefined): Promise<boolean> {
  const now = await stat(dir);
  if (letsPass(now, readerGid)) return true;
  // The group first: none but the one that is meant is ever let in.
  const given = readerGid === undefined || now.gid === readerGid || (await giveTo(dir, readerGid));
  await chmod(dir, given && readerGid !== undefined ? groupMode : ownerMode);
  return given;
}

async function giveTo(dir: string, gid: number): Promise<boolean> {
  try {
    await chown(dir, -1, gid);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EPERM") return false;
    throw error;
  }
}
