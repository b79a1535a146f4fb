import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { freeBytes } from "../base/disk.ts";
import { errnoOf, messageOf } from "../base/error.ts";
import { imagesDir } from "../images/layout.ts";
import type { CheckResult } from "./check-result.ts";
import { folderProblem, notFolderAt, unsafeAbove, type FolderUse } from "./folders.ts";
import { groupAt, publishedFolders } from "./readers.ts";

/** Below this an image of a distribution's size is not likely to fit, in bytes. */
const littleSpace = 2 * 1024 ** 3;

/** Whether the daemon may use a folder, and nobody else may write there; one that is not there, whether it can be made. */
export async function folderCheck(what: FolderUse, path: string): Promise<CheckResult> {
  const name = `${what} folder`;
  try {
    const file = await notFolderAt(path);
    if (file !== undefined) {
      const remedy = "Move that file away, or choose another folder.";
      return { name, ok: false, detail: `${file} is not a folder`, remedy };
    }
    const there = await nearestFolder(path);
    await access(there, constants.R_OK | constants.W_OK | constants.X_OK);
    if (there !== path)
      return { name, ok: true, detail: `${path} is not there yet, and can be made`, remedy: "" };
    const problem = folderProblem(await stat(path), what);
    const above = problem === undefined ? await unsafeAbove(path) : undefined;
    if (above !== undefined) {
      const detail = `${above.path}, above ${path}, ${above.problem}`;
      return { name, ok: false, detail, remedy: `Run \`chmod go-w ${above.path}\`.` };
    }
    if (problem === undefined) return { name, ok: true, detail: path, remedy: "" };
    return {
      name,
      ok: false,
      detail: `${path} ${problem}`,
      remedy: `Run \`chmod go-w ${path}\`, and own it.`,
    };
  } catch (error) {
    const remedy = "Make it yours to read and write, or choose another folder.";
    return { name, ok: false, detail: messageOf(error), remedy };
  }
}

export async function spaceCheck(what: FolderUse, path: string): Promise<CheckResult> {
  const name = `${what} space`;
  try {
    const free = await freeBytes(await nearestFolder(path));
    const detail = `${shownSpace(free)} free on the disk of ${path}`;
    const ok = free >= littleSpace;
    return { name, ok, detail, remedy: ok ? "" : "Free some space, or choose a folder on a larger disk." };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error), remedy: "Check that the folder exists." };
  }
}

/** In MiB where GiB would show next to nothing; what is left is never told larger than it is. */
function shownSpace(bytes: number): string {
  const gib = 1024 ** 3;
  return bytes < gib ? `${Math.floor(bytes / 1024 ** 2)} MiB` : `${(bytes / gib).toFixed(1)} GiB`;
}

/** Whether those whom the socket's mode lets in can get at it: each folder above must let them pass. */
export async function socketCheck(path: string): Promise<CheckResult> {
  const name = "socket";
  try {
    const { mode, gid } = await stat(path);
    const shown = `0${(mode & 0o777).toString(8)}, group ${gid}`;
    if ((mode & 0o060) === 0) return { name, ok: true, detail: `${path} (${shown})`, remedy: "" };
    const closed = await closedTo(gid, dirname(path));
    if (closed === undefined) return { name, ok: true, detail: `${path} (${shown})`, remedy: "" };
    return {
      name,
      ok: false,
      detail: `${path} (${shown}) is out of the group's reach: ${closed} keeps it out`,
      remedy: `Run \`chgrp ${gid} ${closed} && chmod g+x ${closed}\`, or put the socket elsewhere.`,
    };
  } catch (error) {
    return {
      name,
      ok: false,
      detail: messageOf(error),
      remedy: "Restart the daemon: its socket was removed.",
    };
  }
}

/** Folders of images and kernels that a check looks at: those that a setting left behind are many, or none. */
const maxFoldersChecked = 100;

/** Whether the group that may connect can also open images by their paths. */
export async function readersCheck(socketPath: string, stateDir: string): Promise<CheckResult> {
  const name = "image access";
  try {
    const gid = await groupAt(socketPath);
    if (gid === undefined)
      return { name, ok: true, detail: "images are for the daemon's user alone", remedy: "" };
    const published = await publishedFolders(stateDir);
    for (const folder of [imagesDir(stateDir), ...published.slice(-maxFoldersChecked)]) {
      const closed = await closedTo(gid, folder);
      if (closed === undefined) continue;
      return {
        name,
        ok: false,
        detail: `images are out of reach of group ${gid}, which may connect: ${closed} keeps it out`,
        remedy: `Restart bangerd as root or as a member of that group; what it does not own, open with \`chgrp ${gid} ${closed} && chmod g+x ${closed}\`.`,
      };
    }
    return { name, ok: true, detail: `group ${gid} may open images and kernels`, remedy: "" };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error), remedy: "Check that the state folder is there." };
  }
}

/** The lowest folder that a member of a group can't pass through. */
async function closedTo(group: number, folder: string): Promise<string | undefined> {
  const { mode, gid } = await stat(folder);
  const passes = (mode & (gid === group ? 0o010 : 0o001)) !== 0;
  if (!passes) return folder;
  return dirname(folder) === folder ? undefined : closedTo(group, dirname(folder));
}

/** The folder, or the lowest one above it that is there. */
async function nearestFolder(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    return nearestFolder(dirname(path));
  }
}
