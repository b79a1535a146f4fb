import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { asBangerError, errnoOf } from "../base/error.ts";
import { letPass } from "../base/reader-group.ts";
import { imagesDir, parseFolderName } from "../images/layout.ts";
import { kernelNamePattern } from "../kernel/kernel-ref.ts";
import { kernelsDir } from "../kernel/layout.ts";
import type { SocketAccess } from "./unix-socket.ts";

/** What connecting to a unix socket takes (unix(7)): a mode without it lets no group in. */
const groupMayConnect = 0o020;

/** The group that a socket of the daemon's own will let in; undefined where it lets in none. */
export function groupOf({ mode, gid }: SocketAccess): number | undefined {
  return (mode & groupMayConnect) === 0 ? undefined : (gid ?? process.getgid?.());
}

/**
 * The group that a socket which is there lets in, as one of systemd's: its maker said who may connect. Undefined where it
 * lets in none, and of what is no socket, or neither this user's nor root's.
 */
export async function groupAt(socketPath: string): Promise<number | undefined> {
  try {
    const socket = await lstat(socketPath);
    const trusted = socket.isSocket() && (socket.uid === 0 || socket.uid === process.getuid?.());
    return trusted && (socket.mode & groupMayConnect) !== 0 ? socket.gid : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw asBangerError(error, "look at socket");
  }
}

/**
 * Has the group that may connect open images and kernels by their paths, as a VMM does that runs as a user of its own:
 * each folder from the state folder on lets it pass. Without a group, all are the daemon's user's alone again. A state
 * folder that others may look into already is left as it is.
 *
 * @returns folders that stay shut, because the group is not this user's to give
 */
export async function openToReaders(
  stateDir: string,
  readerGid: number | undefined,
): Promise<readonly string[]> {
  try {
    const folders = [
      ...((await isPrivate(stateDir)) ? [stateDir] : []),
      imagesDir(stateDir),
      kernelsDir(stateDir),
      ...(await publishedFolders(stateDir)),
    ];
    return folders.filter((folder) => !letPass(folder, readerGid));
  } catch (error) {
    throw asBangerError(error, "let readers in");
  }
}

/** Whether a folder is as the daemon makes and opens it, and so to be shut again. */
async function isPrivate(dir: string): Promise<boolean> {
  const { mode, uid } = await stat(dir);
  return uid === process.getuid?.() && ((mode & 0o777) === 0o700 || (mode & 0o777) === 0o710);
}

/** Those of images and kernels that are published. */
export async function publishedFolders(stateDir: string): Promise<readonly string[]> {
  const namesIn = async (dir: string): Promise<readonly string[]> =>
    (await readdir(dir, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  const [images, kernels] = [imagesDir(stateDir), kernelsDir(stateDir)];
  return [
    ...(await namesIn(images))
      .filter((name) => parseFolderName(name)?.kind === "image")
      .map((name) => join(images, name)),
    ...(await namesIn(kernels))
      .filter((name) => kernelNamePattern.test(name))
      .map((name) => join(kernels, name)),
  ];
}
