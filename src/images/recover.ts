import type { Dirent } from "node:fs";
import { join } from "node:path";
import { asBangerError, hasReason } from "../base/error.ts";
import { makeDir, removeTree, sweepTemporaries, writeAtomic } from "../base/files.ts";
import { imagePaths, imagesDir, markerName, parseFolderName } from "./layout.ts";
import { isFile, isPublished, listImagesDir, requireOwnImages, type KnownImages } from "./own-folder.ts";
import type { InterruptedPulls, ResumablePull } from "../store/store.ts";
import { removeImageFolder } from "./publish.ts";

/** Of the store, what recovery needs. */
export interface RecoverableRows {
  allImageIds(): Promise<ReadonlySet<string>>;
  unendedPullCount(): Promise<number>;
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
 * @throws BangerError STATE_UNSAFE where the folder of images and the store do not belong together: see own-folder.ts.
 */
export async function recover(rows: RecoverableRows, stateDir: string): Promise<RecoveryReport> {
  try {
    const ids = await rows.allImageIds();
    const entries = await readImagesDir(stateDir, { ids, unendedPulls: await rows.unendedPullCount() });
    const folders = await sweep(entries, ids, stateDir);
    const lostImages = await dropLostRows(rows, ids, stateDir);
    const { ended, resumable } = await rows.endInterruptedPulls();
    return { ...folders, lostImages, interruptedPulls: ended, resumablePulls: resumable };
  } catch (error) {
    throw asBangerError(error, "recover images");
  }
}

async function readImagesDir(stateDir: string, known: KnownImages): Promise<readonly Dirent[]> {
  const dir = imagesDir(stateDir);
  await sweepTemporaries(dir);
  const entries = await listImagesDir(stateDir);
  requireOwnImages(stateDir, entries, known);
  if (entries === undefined || !entries.some(({ name }) => name === markerName)) {
    await makeDir(dir);
    await mark(join(dir, markerName));
  }
  return (entries ?? []).filter(({ name }) => name !== markerName);
}

async function mark(marker: string): Promise<void> {
  try {
    await writeAtomic(marker, Buffer.from("This folder holds bangerd's images.\n"));
  } catch (error) {
    // A full disk is no reason not to start, since deleting an image takes a daemon. The next start marks it.
    if (!hasReason(asBangerError(error, "mark images"), "DISK_FULL")) throw error;
  }
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
      // Else somebody else's, whose ids look like ours.
      if (isPublished(stateDir, entry)) {
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
