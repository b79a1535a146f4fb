import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { asBangerError, BangerError, errnoOf } from "./error.ts";
import { makeRoom } from "./make-room.ts";

/** A folder that goes when its owner disposes of it. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** Makes a folder, 0700, under `$TMPDIR` or `parent`. */
export async function makeTempDir(prefix: string, parent: string = tmpdir()): Promise<TempDir> {
  const path = await mkdtemp(join(parent, prefix));
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}

/** As `asBangerError`, for writes into a temporary folder: a write that fails on a full disk names no file by itself. */
export function asTempDirError(error: unknown, op: string, dir: string): BangerError {
  const known = asBangerError(error, op);
  if (error instanceof BangerError || known.reason !== "DISK_FULL") return known;
  return new BangerError("DISK_FULL", `${op}: no space left in the temporary folder ${dir}`, {
    op,
    cause: error,
    hint: makeRoom("TMPDIR"),
  });
}

/** Removes whatever is there. Idempotent. Follows no link. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 2 });
}

/** Makes the names in a folder durable. */
export async function syncDir(path: string): Promise<void> {
  await syncFile(path);
}

/** Makes the contents of a file durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder and those above it, 0700 where they are new. Idempotent.
 *
 * Not by `recursive` of `mkdir`: where a folder is there and yet nothing can be made in it for ENOENT, as in `/proc`
 * and behind a dangling link, Node tries again for ever.
 */
export async function makeDir(path: string): Promise<void> {
  try {
    await makeOneDir(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    await makeDir(dirname(path));
    await makeOneDir(path);
  }
}

async function makeOneDir(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // EROFS and EACCES come before EEXIST on some file systems; one that is there is all that is asked for.
    if (!(await isDir(path))) throw error;
  }
}

async function isDir(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

const temporaryName = /\.[0-9a-f]{12}\.tmp$/;

/**
 * Removes what a `writeAtomic` that was killed left in a folder, if there is such a folder. The caller knows that
 * nobody else writes there.
 */
export async function sweepTemporaries(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      if (temporaryName.test(name)) await rm(join(folder, name), { force: true });
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/**
 * Replaces a file by its new content: a reader sees the old or the new one whole, and once this returns the new
 * one survives a power cut.
 */
export async function writeAtomic(path: string, content: Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDir(dirname(path));
}
