import { lstatSync, type Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, asBangerError, errnoOf, hasReason } from "../base/error.ts";
import { makeDir, removeTree, sweepTemporaries, writeAtomic } from "../base/files.ts";
import { imagePaths, imagesDir, markerName, parseFolderName } from "./layout.ts";
import type { InterruptedPulls, ResumablePull } from "../store/store.ts";
import { removeImageFolder } from "./publish.ts";

/** Of the store, what recovery needs. */
export interface RecoverableRows {
  allImageIds(): Promise<ReadonlySet<string>>;
  deleteImage(id: string): Promise<void>;
  endInterruptedPulls(): Promise<InterruptedPulls>;
}

/** What was put right, for the log. All empty after a clean stop. */
export interface RecoveryReport {
  /** Folders of builds and removals that were cut off: names in `images/`. */
  readonly sweptFolders: readonly string[];
  /** Folders that were published, but whose row never came. */
  readonly orphanFolders: readonly string[];
  /** Rows whose file system is gone. */
  readonly lostImages: readonly string[];
  /** Ids of pulls that failed because they were cut off. */
  readonly interruptedPulls: readonly string[];
  /** Detached pulls that were cut off, and go on. */
  readonly resumablePulls: readonly ResumablePull[];
  /** Names in `images/` that are not ours; left alone. */
  readonly unknownNames: readonly string[];
}

/**
 * Brings folders and rows together after a kill at any moment: what is left are whole images, each with its row.
 * Idempotent, and may itself be killed. Called at the start, under the state folder's lock, before anything else.
 *
 * @throws BangerError STATE_UNSAFE where the store has images, and the folder of images is missing, or has none of
 *   them and no marker: an unmounted disk rather than an accident to each.
 */
export async function recover(rows: RecoverableRows, stateDir: string): Promise<RecoveryReport> {
  try {
    const ids = await rows.allImageIds();
    const entries = await readImagesDir(stateDir, ids);
    const folders = await sweep(entries, ids, stateDir);
    const lostImages = await dropLostRows(rows, ids, stateDir);
    const { ended, resumable } = await rows.endInterruptedPulls();
    return { ...folders, lostImages, interruptedPulls: ended, resumablePulls: resumable };
  } catch (error) {
    throw asBangerError(error, "recover images");
  }
}

async function readImagesDir(stateDir: string, ids: ReadonlySet<string>): Promise<readonly Dirent[]> {
  const dir = imagesDir(stateDir);
  const marker = join(dir, markerName);
  await sweepTemporaries(dir);
  const entries = await listDir(dir);
  if (entries === undefined || !entries.some(({ name }) => name === markerName)) {
    const known = (entries ?? []).some(({ name }) => ids.has(name));
    if (ids.size > 0 && !known) throw unmountedError(dir, marker, ids.size);
    await makeDir(dir);
    await mark(marker);
  }
  return (entries ?? []).filter(({ name }) => name !== markerName);
}

async function listDir(dir: string): Promise<readonly Dirent[] | undefined> {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function mark(marker: string): Promise<void> {
  try {
    await writeAtomic(marker, Buffer.from("This folder holds bangerd's images.\n"));
  } catch (error) {
    // A full disk is no reason not to start, since deleting an image takes a daemon. The next start marks it.
    if (!hasReason(asBangerError(error, "mark images"), "DISK_FULL")) throw error;
  }
}

function unmountedError(dir: string, marker: string, rowCount: number): BangerError {
  const message = `${dir} has none of the ${rowCount} images that the store knows, nor the file ${markerName}`;
  return new BangerError("STATE_UNSAFE", message, {
    op: "recover images",
    hint: `Mount the disk that it is on. If the images are gone for good, make an empty file ${marker}.`,
    facts: { path: dir },
  });
}

async function sweep(
  entries: readonly Dirent[],
  ids: ReadonlySet<string>,
  stateDir: string,
): Promise<Pick<RecoveryReport, "sweptFolders" | "orphanFolders" | "unknownNames">> {
  const sweptFolders: string[] = [];
  const orphanFolders: string[] = [];
  const unknownNames: string[] = [];
  for (const entry of entries) {
    const folder = entry.isDirectory() ? parseFolderName(entry.name) : undefined;
    if (folder === undefined) {
      unknownNames.push(entry.name);
    } else if (folder.kind !== "image") {
      await removeTree(join(imagesDir(stateDir), entry.name));
      sweptFolders.push(entry.name);
    } else if (!ids.has(folder.id)) {
      // Written before the folder gets its name: without it somebody else's, whose ids look like ours.
      if (isFile(imagePaths(stateDir, folder.id).document)) {
        await removeImageFolder(stateDir, folder.id);
        orphanFolders.push(entry.name);
      } else unknownNames.push(entry.name);
    }
  }
  return { sweptFolders, orphanFolders, unknownNames };
}

/** A row promises a file system; one without is no image, and what else is in its folder is litter. */
async function dropLostRows(
  rows: RecoverableRows,
  ids: ReadonlySet<string>,
  stateDir: string,
): Promise<readonly string[]> {
  const lost: string[] = [];
  for (const id of ids) {
    if (isFile(imagePaths(stateDir, id).rootfs)) continue;
    await rows.deleteImage(id);
    await removeImageFolder(stateDir, id);
    lost.push(id);
  }
  return lost;
}

/** Not by a promise: of 10,000 images that would be the half of what the daemon computes before it serves. */
function isFile(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return false;
    throw error;
  }
}
