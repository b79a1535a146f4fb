import { lstatSync, type Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, errnoOf } from "../base/error.ts";
import { databasePath } from "../store/layout.ts";
import { imagePaths, imagesDir, markerName, parseFolderName } from "./layout.ts";

/** What the store says of the images that must be in its folder. */
export interface KnownImages {
  readonly ids: ReadonlySet<string>;
  /** How many pulls have not ended: each may have published one image whose row never came. */
  readonly unendedPulls: number;
}

/** What is in the folder of images; undefined where there is none. */
export async function listImagesDir(stateDir: string): Promise<readonly Dirent[] | undefined> {
  try {
    return await readdir(imagesDir(stateDir), { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Makes sure that folder and store belong together, before either is brought in line with the other: that would lose
 * all images where one of them is not the right one. Changes nothing.
 *
 * @param entries as `listImagesDir` gives them
 * @throws BangerError STATE_UNSAFE where the store knows images, and the folder is missing, or has none of them and no
 *   marker: an unmounted disk rather than an accident to each. And where there are published images, and the store
 *   knows none of them: a database that was lost, since a kill leaves one image a pull at most.
 */
export function requireOwnImages(
  stateDir: string,
  entries: readonly Dirent[] | undefined,
  { ids, unendedPulls }: KnownImages,
): void {
  const there = entries ?? [];
  if (there.some(({ name }) => ids.has(name))) return;
  const marked = there.some(({ name }) => name === markerName);
  if (ids.size > 0 && !marked) throw unmountedError(stateDir, ids.size);
  const published = there.filter((entry) => isPublished(stateDir, entry)).length;
  if (published > unendedPulls) throw databaseLostError(stateDir, published);
}

/** Whether it is an image's folder that this program made: the document is written before the folder gets its name. */
export function isPublished(stateDir: string, entry: Dirent): boolean {
  const folder = entry.isDirectory() ? parseFolderName(entry.name) : undefined;
  return folder?.kind === "image" && isFile(imagePaths(stateDir, folder.id).document);
}

/** Not by a promise: of 10,000 images that would be the half of what the daemon computes before it serves. */
export function isFile(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return false;
    throw error;
  }
}

function unmountedError(stateDir: string, rowCount: number): BangerError {
  const dir = imagesDir(stateDir);
  const message = `${dir} has none of the ${rowCount} images that the store knows, nor the file ${markerName}`;
  return new BangerError("STATE_UNSAFE", message, {
    op: "recover images",
    hint: `Mount the disk that it is on. If the images are gone for good, make an empty file ${join(dir, markerName)}.`,
    facts: { path: dir },
  });
}

function databaseLostError(stateDir: string, published: number): BangerError {
  const dir = imagesDir(stateDir);
  const path = databasePath(stateDir);
  const found = `${published} published ${published === 1 ? "image" : "images"}`;
  const message = `${dir} has ${found}, and ${path} knows none of them`;
  return new BangerError("STATE_UNSAFE", message, {
    op: "recover images",
    hint: `Restore ${path} from a backup. If these images may go for good, remove them: \`find ${dir} -mindepth 1 -delete\`.`,
    facts: { path },
  });
}
