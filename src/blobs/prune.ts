import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../base/digest.ts";
import { asBangerError, errnoOf } from "../base/error.ts";
import type { CacheFile } from "./inventory.ts";
import type { CachePins } from "./pins.ts";

/** Which files go. */
export interface PruneRules {
  /** Only what was last used before then, in milliseconds since 1970. */
  readonly usedBefore: number;
  /** Until all that is left is no more than this; 0 lets all go that may. */
  readonly keepBytes: number;
  /** What some image was made of as well. */
  readonly all: boolean;
}

/** What must not go, or is still worth something. */
export interface CacheNeeds {
  readonly isPinned: (digest: Digest) => boolean;
  readonly isReferred: (digest: Digest) => boolean;
}

/** Whether nobody needs a file: no image refers to it, and no pull is at it. */
export function isUnused(file: CacheFile, { isPinned, isReferred }: CacheNeeds): boolean {
  return !file.isBusy && !isPinned(file.digest) && !isReferred(file.digest);
}

/** Chooses what goes, in this order: what no image refers to first, and what was used longest ago. Pure. */
export function choosePrune(
  files: readonly CacheFile[],
  rules: PruneRules,
  needs: CacheNeeds,
): readonly CacheFile[] {
  const candidates = files
    .filter((file) => !file.isBusy && !needs.isPinned(file.digest) && file.usedAt < rules.usedBefore)
    .map((file) => ({ file, referred: needs.isReferred(file.digest) ? 1 : 0 }))
    .filter(({ referred }) => rules.all || referred === 0)
    .sort((a, b) => a.referred - b.referred || a.file.usedAt - b.file.usedAt)
    .map(({ file }) => file);
  if (rules.keepBytes === 0) return candidates;
  let left = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return candidates.filter(({ bytes }) => {
    if (left <= rules.keepBytes) return false;
    left -= bytes;
    return true;
  });
}

export interface Pruned {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Removes what was chosen, unless somebody has pinned it since. Whoever has a file open reads on; a pull that begins
 * now finds it gone or has pinned it, and never a part of it.
 *
 * @throws BangerError of the file system, CANCELLED; what went until then is gone.
 */
export async function removeFiles(
  files: readonly CacheFile[],
  pins: CachePins,
  trashFolder: string,
  signal: AbortSignal,
): Promise<Pruned> {
  let count = 0;
  let bytes = 0;
  try {
    for (const file of files) {
      signal.throwIfAborted();
      const trash = join(trashFolder, randomBytes(12).toString("hex"));
      // Asked and moved in one go: nothing else of this process runs in between.
      if (pins.has(file.digest) || !movedOut(file.path, trash)) continue;
      await rm(trash, { force: true });
      count++;
      bytes += file.bytes;
    }
    return { count, bytes };
  } catch (error) {
    throw asBangerError(error, "prune cache");
  }
}

/** False where it is gone already. */
function movedOut(path: string, trash: string): boolean {
  try {
    renameSync(path, trash);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
