import { stat, statfs } from "node:fs/promises";
import { BangerError } from "./error.ts";
import { makeRoom, type FolderOption } from "./make-room.ts";

export interface SpaceNeed {
  /** An existing folder on the disk in question. */
  readonly path: string;
  readonly bytes: number;
  /** What says where that folder is. */
  readonly option?: FolderOption;
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
  const disks = new Map<number, SpaceNeed[]>();
  for (const need of needs) {
    const { dev } = await stat(need.path);
    disks.set(dev, [...(disks.get(dev) ?? []), need]);
  }
  for (const here of disks.values()) {
    const free = await freeBytes(here[0]?.path ?? "");
    if (free < sumOf(here)) throw diskFullError(here, free, op);
  }
}

export function sumOf(needs: readonly SpaceNeed[]): number {
  return needs.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** @param needs all of one disk */
export function diskFullError(needs: readonly SpaceNeed[], free: number, op = "reserve space"): BangerError {
  const [{ path } = { path: "" }] = needs;
  const neededBytes = sumOf(needs);
  const options = needs.flatMap(({ option, bytes }) => (option === undefined || bytes === 0 ? [] : [option]));
  return new BangerError(
    "DISK_FULL",
    `${op}: ${path} has ${mebi(free, Math.floor)} free, and ${mebi(neededBytes, Math.ceil)} are needed`,
    {
      op,
      hint: makeRoom(...new Set(options)),
      facts: { path, freeBytes: String(free), neededBytes: String(neededBytes) },
    },
  );
}

/** Rounded so that what is free never looks like enough. */
function mebi(bytes: number, round: (value: number) => number): string {
  return `${round(bytes / 2 ** 20)} MiB`;
}
