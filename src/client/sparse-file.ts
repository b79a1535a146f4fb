import { randomBytes } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import { syncDir } from "../base/files.ts";
import { writeWhole } from "../base/write-whole.ts";

const op = "write file";

/** A piece and where it belongs; what lies between the pieces is zeros. */
export interface FilePiece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes a file with holes where no piece is. It appears at `path` whole, once all is on the disk, or not at all; one
 * that was there is replaced, and lets in whom that let in. So is a link to a file: what it leads to stays.
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
  const mode = await modeOfFile(path);
  // Not by the file's own name, which may be as long as names get.
  const temporary = join(dirname(path), `.banger-export-${randomBytes(6).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx", mode ?? 0o644);
    let written = 0;
    try {
      // Not less the umask: somebody chose it.
      if (mode !== undefined) await file.chmod(mode);
      for await (const { offset, bytes } of pieces) {
        await writeWhole(file, [bytes], offset);
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
  const code = errnoOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new BangerError(known.reason, `${path} can't be written: there is no folder ${dirname(path)}`, {
      op,
      hint: "Make that folder, or name a file in another.",
      cause: error,
    });
  }
  const hint = `Check that there is room for it in ${dirname(path)}, and that you may write there, or name another file.`;
  return new BangerError(known.reason, `${path} can't be written (${code ?? known.message})`, {
    op,
    hint,
    cause: error,
  });
}

/**
 * The permission bits of the file in whose place another shall be; undefined where none is. Replacing a device or a
 * socket by a file is not what anybody wants who names one, nor a link to it, as `/dev/stdout` is.
 *
 * @throws BangerError OPTION_INVALID
 */
async function modeOfFile(path: string): Promise<number | undefined> {
  try {
    const stats = await stat(path);
    if (stats.isFile()) return stats.mode & 0o777;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw asBangerError(error, op);
  }
  throw new BangerError("OPTION_INVALID", `${path} is there, and is no regular file`, {
    op,
    hint: "Name a file, or write to standard output with `-o -`.",
  });
}
