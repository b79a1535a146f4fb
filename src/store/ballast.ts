import { randomBytes } from "node:crypto";
import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { freeBytes } from "../base/disk.ts";
import { asBangerError, errnoOf } from "../base/error.ts";
import { syncDir, writeAtomic } from "../base/files.ts";

/** The store's log and its index take a tenth of this at a start, and what deleting an image writes a few pages more. */
const ballastBytes = 1024 * 1024;

/** With less than this free, what is there is left to whoever is short of it. */
const leastFreeBytes = 4 * ballastBytes;

const op = "keep room for a start";

function ballastPath(stateDir: string): string {
  return join(stateDir, "daemon.ballast");
}

/**
 * Keeps some of the disk for the next start: without room for the store's log no daemon starts, and without a daemon
 * nobody can delete an image to make room. Does nothing where it is there, or the disk is nearly full. Idempotent; the
 * caller holds the state folder's lock.
 *
 * @throws BangerError of the file system, but for a full disk
 */
export async function keepBallast(stateDir: string): Promise<void> {
  const path = ballastPath(stateDir);
  try {
    if ((await bytesOf(path)) === ballastBytes || (await freeBytes(stateDir)) < leastFreeBytes) return;
    // Random, as file systems that compress, or keep zeros as holes, would have given nothing to it.
    await writeAtomic(path, randomBytes(ballastBytes));
  } catch (error) {
    const failure = asBangerError(error, op);
    if (failure.reason !== "DISK_FULL") throw failure;
  }
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
