import { randomBytes } from "node:crypto";
import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { freeBytes } from "../base/disk.ts";
import { asBangerError, errnoOf } from "../base/error.ts";
import { syncDir, writeAtomic } from "../base/files.ts";

const kib = 1024;

/**
 * How much is kept, in bytes, where so much is free; what is left of that is for whoever is short of it. The store's log and
 * its index take 100 KiB at a start, and what deleting an image writes a few pages more: 1 MiB is plenty. A quarter of
 * it does, where the smallest images are all that there is to delete, and leave no more.
 */
const steps = [
  { free: 4096 * kib, kept: 1024 * kib },
  { free: 512 * kib, kept: 256 * kib },
] as const;

const op = "keep room for a start";

function ballastPath(stateDir: string): string {
  return join(stateDir, "daemon.ballast");
}

/**
 * Keeps some of the disk for the next start: without room for the store's log no daemon starts, and without a daemon
 * nobody can delete an image to make room. Less of it on a disk that is nearly full, and the rest once there is room for
 * that; nothing on one that is full but for some hundred KiB. Idempotent; the caller holds the state folder's lock.
 *
 * @throws BangerError of the file system, but for a full disk
 */
export async function keepBallast(stateDir: string): Promise<void> {
  const path = ballastPath(stateDir);
  try {
    const bytes = ballastFor(await freeBytes(stateDir));
    if (bytes <= ((await bytesOf(path)) ?? 0)) return;
    // Random, as file systems that compress, or keep zeros as holes, would have given nothing to it.
    await writeAtomic(path, randomBytes(bytes));
  } catch (error) {
    const failure = asBangerError(error, op);
    if (failure.reason !== "DISK_FULL") throw failure;
  }
}

/** What is kept where so much is free, in bytes. Pure. */
export function ballastFor(freeNow: number): number {
  return steps.find(({ free }) => freeNow >= free)?.kept ?? 0;
}

/**
 * Gives that room back to the disk.
 *
 * @returns whether there was any
 * @throws BangerError of the file system
 */
export async function giveUpBallast(stateDir: string): Promise<boolean> {
  const path = ballastPath(stateDir);
  try {
    if ((await bytesOf(path)) === undefined) return false;
    await rm(path);
    await syncDir(stateDir);
    return true;
  } catch (error) {
    throw asBangerError(error, op);
  }
}

async function bytesOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
