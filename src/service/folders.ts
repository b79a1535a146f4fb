import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { BangerError, asBangerError } from "../base/error.ts";
import { makeDir } from "../base/files.ts";

/**
 * Makes a folder of the daemon's, 0700, or checks one that is there: what others may write can't be trusted to
 * hold what was verified, and what another user owns can be changed under the daemon at any time.
 *
 * @throws BangerError STATE_UNSAFE, PERMISSION_DENIED.
 */
export async function claimFolder(path: string, what: "state" | "cache"): Promise<void> {
  const op = `open ${what} folder`;
  try {
    await makeDir(path);
    const { mode, uid, gid } = await stat(path);
    const problem = unsafeBecause(
      { mode, uid, gid },
      { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    );
    if (problem !== undefined) {
      throw new BangerError("STATE_UNSAFE", `the ${what} folder ${path} ${problem}`, {
        op,
        hint: `Run \`chmod go-w ${path}\` and make it yours, or choose another with --${what}-dir.`,
        facts: { path },
      });
    }
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asBangerError(error, op);
  }
}

interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined where a folder is safe for that user. Root may own anybody's; a group of the user's own may write. */
export function unsafeBecause(
  folder: Ownership & { readonly mode: number },
  user: Ownership,
): string | undefined {
  if (folder.uid !== user.uid && folder.uid !== 0) return `belongs to another user (uid ${folder.uid})`;
  if ((folder.mode & 0o002) !== 0) return "may be written by everybody";
  if ((folder.mode & 0o020) !== 0 && folder.gid !== user.gid) return `may be written by group ${folder.gid}`;
  return undefined;
}
