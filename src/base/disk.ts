import { stat, statfs } from "node:fs/promises";
import { BangerError } from "./error.ts";

export interface SpaceNeed {
  /** An existing folder on the disk in question. */
  readonly path: string;
  readonly bytes: number;
}

/** Bytes that an unprivileged writer may still use on the disk of `path`. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/**
 * Refuses work that can't fit before it fills a disk. Needs on one disk are added up. A promise it is not: others
 * write too.
 *
 * @throws BangerError DISK_FULL naming the folder, what it has and what it lacks.
 */
export async function requireSpace(needs: readonly SpaceNeed[], op: string): Promise<void> {
  const disks = new Map<number, { path: string; bytes: number }>();
  for (const need of needs) {
    const { dev } = await stat(need.path);
    const disk = disks.get(dev) ?? { path: need.path, bytes: 0 };
    disk.bytes += need.bytes;
    disks.set(dev, disk);
  }
  for (const { path, bytes } of disks.values()) {
    const free = await freeBytes(path);
    if (free >= bytes) continue;
    throw diskFullError({ path, neededBytes: bytes, freeBytes: free }, op);
  }
}

/** What a disk has, and what would have to fit. */
export interface DiskLack {
  readonly path: string;
  readonly neededBytes: number;
  readonly freeBytes: number;
}

export function diskFullError(
  { path, neededBytes, freeBytes: free }: DiskLack,
  op = "reserve space",
): BangerError {
  return new BangerError(
    "DISK_FULL",
    `${op}: ${path} has ${mebi(free, Math.floor)} free, and ${mebi(neededBytes, Math.ceil)} are needed`,
    {
      op,
      facts: { path, freeBytes: String(free), neededBytes: String(neededBytes) },
    },
  );
}

/** Rounded so that what is free never looks like enough. */
function mebi(bytes: number, round: (value: number) => number): string {
  return `${round(bytes / 2 ** 20)} MiB`;
}
