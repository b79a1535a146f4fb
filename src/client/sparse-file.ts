import { randomBytes } from "node:crypto";
import { lstat, open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import { syncDir } from "../base/files.ts";

const op = "write file";

/** A piece and where it belongs; what lies between the pieces is zeros. */
export interface FilePiece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes a file with holes where no piece is. It appears at `path` whole, once all is on the disk, or not at all; one
 * that was there is replaced.
 *
 * @param sizeBytes apparent size; undefined ends the file with its last piece
 * @returns bytes that were written.
 * @throws BangerError of the file system, or what the pieces throw.
 */
export async function writeSparseFile(
  path: string,
  sizeBytes: number | undefined,
  pieces: AsyncIterable<FilePiece>,
): Promise<number> {
  await refuseOtherThanFile(path);
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 200)}.${randomBytes(6).toString("hex")}.tmp`,
  );
  try {
    const file = await open(temporary, "wx", 0o644);
    let written = 0;
    try {
      for await (const { offset, bytes } of pieces) {
        await writeAt(file, bytes, offset);
        written += bytes.length;
      }
      if (sizeBytes !== undefined) await file.truncate(sizeBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDir(dirname(path));
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    throw namedError(error, path);
  }
}

/** By the name that somebody gave, and not by that of the file beside it. */
function namedError(error: unknown, path: string): BangerError {
  const known = asBangerError(error, op);
  if (error instanceof BangerError) return known;
  const hint = `Check that there is room for it in ${dirname(path)}, and that you may write there, or name another file.`;
  return new BangerError(known.reason, `${path} can't be written (${errnoOf(error) ?? known.message})`, {
    op,
    hint,
    cause: error,
  });
}

/** Replacing a device or a socket by a file is not what anybody wants who names one. */
async function refuseOtherThanFile(path: string): Promise<void> {
  try {
    const stats = await lstat(path);
    if (stats.isFile() || stats.isSymbolicLink()) return;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw asBangerError(error, op);
  }
  throw new BangerError("OPTION_INVALID", `${path} is there, and is no regular file`, {
    op,
    hint: "Name a file, or write to standard output with `-o -`.",
  });
}

async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
