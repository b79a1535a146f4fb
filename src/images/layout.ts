import { randomBytes } from "node:crypto";
import { join } from "node:path";

/** Where an image's files are. Pure: nothing here looks at a disk. */
export interface ImagePaths {
  /** The folder of a published image. */
  readonly dir: string;
  readonly rootfs: string;
  /** The image's record as it was published; the store's row is what counts for the name. */
  readonly document: string;
  /** What the rootfs must hold; see stored-tree.ts. */
  readonly tree: string;
}

const imagesName = "images";
export const rootfsName = "rootfs.ext4";
const documentName = "image.json";
const treeName = "tree.index";

/** Says that the folder of images is this one, and not the empty place where its disk should be mounted. */
export const markerName = ".banger";

/** What a folder of `images/` is, by its name. */
export type FolderKind = "image" | "staging" | "removing";

const folderPattern = /^(?<id>[0-9a-f]{24})(?:\.(?<kind>staging|removing))?$/;

/** Opaque, and unique for ever: 96 random bits. Safe in a path and in a name's place. */
export function newImageId(): string {
  return randomBytes(12).toString("hex");
}

export function imagesDir(stateDir: string): string {
  return join(stateDir, imagesName);
}

export function imagePaths(stateDir: string, id: string): ImagePaths {
  return pathsIn(join(stateDir, imagesName, id));
}

/** What is being built: never read by anybody else, swept at the next start. */
export function stagingPaths(stateDir: string, id: string): ImagePaths {
  return pathsIn(join(stateDir, imagesName, `${id}.staging`));
}

/** What is being removed: it has no row any more, and is swept at the next start. */
export function removingDir(stateDir: string, id: string): string {
  return join(stateDir, imagesName, `${id}.removing`);
}

/** Undefined for a name that this program does not give. */
export function parseFolderName(
  name: string,
): { readonly id: string; readonly kind: FolderKind } | undefined {
  const groups = folderPattern.exec(name)?.groups;
  const id = groups?.["id"];
  if (id === undefined) return undefined;
  const suffix = groups?.["kind"];
  return { id, kind: suffix === "staging" || suffix === "removing" ? suffix : "image" };
}

/** @param dir as `join` gives it: joining these names to it once more, for each image of a list, takes as long as a query */
function pathsIn(dir: string): ImagePaths {
  return {
    dir,
    rootfs: `${dir}/${rootfsName}`,
    document: `${dir}/${documentName}`,
    tree: `${dir}/${treeName}`,
  };
}
