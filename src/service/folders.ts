import { constants } from "node:fs";
import { access, chmod, chown, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import { makeDir } from "../base/files.ts";

export type FolderUse = "state" | "cache" | "temporary" | "socket";

/** How another folder is chosen for it. */
const choices: Readonly<Record<FolderUse, string>> = {
  state: "--state-dir",
  cache: "--cache-dir",
  temporary: "TMPDIR",
  socket: "--socket",
};

/**
 * Makes a folder of the daemon's, 0700, or checks one that is there: what others may write can't be trusted to
 * hold what was verified, and what another user owns can be changed under the daemon at any time.
 *
 * @throws BangerError STATE_UNSAFE, PERMISSION_DENIED.
 */
export async function claimFolder(path: string, what: FolderUse): Promise<void> {
  const op = `open ${what} folder`;
  try {
    await makeDir(path);
    const problem = folderProblem(await stat(path), what);
    if (problem !== undefined) {
      throw new BangerError("STATE_UNSAFE", `the ${what} folder ${path} ${problem}`, {
        op,
        hint: `Run \`chmod go-w ${path}\` and make it yours, or choose another with ${choices[what]}.`,
        facts: { path },
      });
    }
    const above = await unsafeAbove(path);
    if (above !== undefined) {
      throw new BangerError(
        "STATE_UNSAFE",
        `${above.path}, above the ${what} folder ${path}, ${above.problem}: they could put another in its place`,
        {
          op,
          hint: `Run \`chmod go-w ${above.path}\`, or choose another folder with ${choices[what]}.`,
          facts: { path: above.path },
        },
      );
    }
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw (await noFolder(path, what)) ?? asBangerError(error, op);
  }
}

/** Where something else has the folder's name, or one's above it: undefined where that is not what is wrong. */
async function noFolder(path: string, what: FolderUse): Promise<BangerError | undefined> {
  const place = await notFolderAt(path);
  if (place === undefined) return undefined;
  const said = place === path ? "is not a folder" : `can't be made: ${place} is not a folder`;
  return new BangerError("FILESYSTEM_ERROR", `the ${what} folder ${path} ${said}`, {
    op: `open ${what} folder`,
    hint: `Name a folder with ${choices[what]}, or move that file away.`,
    facts: { path: place },
  });
}

/** The path, or the lowest one above it that is there, where that is no folder. */
export async function notFolderAt(path: string): Promise<string | undefined> {
  try {
    return (await stat(path)).isDirectory() ? undefined : path;
  } catch (error) {
    const code = errnoOf(error);
    const gone = code === "ENOENT" || code === "ENOTDIR";
    return gone && dirname(path) !== path ? notFolderAt(dirname(path)) : undefined;
  }
}

/**
 * Refuses the config of a system's install where others may write to it, or could put another in its place: what they
 * write would be done with root's rights.
 *
 * @throws BangerError STATE_UNSAFE.
 */
export async function requireSafeConfig(path: string): Promise<void> {
  const op = "check config";
  try {
    const own = folderProblem(await stat(path), "config");
    const unsafe = own === undefined ? await unsafeAbove(path) : { path, problem: own };
    if (unsafe === undefined) return;
    const what = unsafe.path === path ? "the config file" : `above the config file ${path},`;
    throw new BangerError("STATE_UNSAFE", `${what} ${unsafe.path} ${unsafe.problem}`, {
      op,
      hint: `Run \`chmod go-w ${unsafe.path}\`, and let root own it.`,
      facts: { path: unsafe.path },
    });
  } catch (error) {
    throw asBangerError(error, op);
  }
}

/** What lies above a file or folder and others may write to, where no sticky bit keeps them from what is not theirs. */
export async function unsafeAbove(
  path: string,
): Promise<{ readonly path: string; readonly problem: string } | undefined> {
  // As it is named, and where links lead: either can be exchanged.
  for (const above of new Set([...foldersAbove(path), ...foldersAbove(await realpath(path))])) {
    const folder = await stat(above);
    const problem = (folder.mode & 0o1000) === 0 ? writableBecause(folder, thisUser()) : undefined;
    if (problem !== undefined) return { path: above, problem };
  }
  return undefined;
}

function foldersAbove(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...foldersAbove(above)];
}

/** As `claimFolder`; one that is new lets in the group that the socket lets in, which could not reach it otherwise. */
export async function claimSocketFolder(
  path: string,
  { mode, gid }: { readonly mode: number; readonly gid: number | undefined },
): Promise<void> {
  const isNew = !(await exists(path));
  await claimFolder(path, "socket");
  if (!isNew || (mode & 0o070) === 0) return;
  try {
    if (gid !== undefined) await chown(path, -1, gid);
    await chmod(path, 0o710);
  } catch (error) {
    throw asBangerError(error, "open socket folder");
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw asBangerError(error, "open socket folder");
  }
}

/** What keeps this process from trusting a folder, or the config file; undefined where nothing does. */
export function folderProblem(
  folder: Ownership & { readonly mode: number },
  what: FolderUse | "config",
): string | undefined {
  // In the system's temporary folder everybody may write, and the sticky bit keeps each from what is another's.
  const shared =
    (what === "temporary" || what === "socket") && (folder.mode & 0o1000) !== 0 && folder.uid === 0;
  return shared ? undefined : unsafeBecause(folder, thisUser());
}

function thisUser(): Ownership {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
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
  return writableBecause(folder, user);
}

/** Of a folder above, the owner is not looked at: in a user's namespace and in containers, root's are nobody's. */
function writableBecause(folder: Ownership & { readonly mode: number }, user: Ownership): string | undefined {
  if ((folder.mode & 0o002) !== 0) return "may be written by everybody";
  if ((folder.mode & 0o020) !== 0 && folder.gid !== user.gid) return `may be written by group ${folder.gid}`;
  return undefined;
}
