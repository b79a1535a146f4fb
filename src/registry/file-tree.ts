import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { asBangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { tooLarge } from "../oci/choose.ts";

const pieceBytes = 256 * 1024;

/** Regular files by name, with slashes: in a folder, or the members of an archive. Nothing is held between calls. */
export interface FileTree {
  /** The caller disposes of it. Undefined where there is no such file. */
  open(name: string): Promise<FilePart | undefined>;
}

/** A stretch of an open file. Owns the file. */
export class FilePart implements AsyncDisposable {
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #start: number;

  constructor(handle: FileHandle, start: number, size: number) {
    this.#handle = handle;
    this.#start = start;
    this.size = size;
  }

  /** Fills the buffer from `at` on; fewer bytes only where the part, or a file cut short under us, ends. */
  async read(buffer: Buffer, at: number): Promise<number> {
    const wanted = Math.max(0, Math.min(buffer.length, this.size - at));
    for (let done = 0; ;) {
      const { bytesRead } = await this.#handle.read(buffer, done, wanted - done, this.#start + at + done);
      done += bytesRead;
      if (bytesRead === 0 || done === wanted) return done;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** The files below a folder. */
export function folderTree(folder: string, op: string): FileTree {
  return {
    open: async (name) => {
      const handle = await openRegular(join(folder, name), op);
      if (handle === undefined) return undefined;
      await using opening = new AsyncDisposableStack();
      const { size } = await opening.use(handle).stat();
      opening.move();
      return new FilePart(handle, 0, size);
    },
  };
}

/** Opens a regular file; O_NONBLOCK so that a FIFO in its place does not hold us for ever. */
export async function openRegular(path: string, op: string): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = errnoOf(error);
    // ENXIO is what a socket in its place answers.
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ENXIO") return undefined;
    throw asBangerError(error, op);
  }
  await using opening = new AsyncDisposableStack();
  if (!(await opening.use(handle).stat()).isFile()) return undefined;
  opening.move();
  return handle;
}

/** All of a part. Disposes of it. @throws BangerError LIMIT_DOCUMENT_SIZE */
export async function readWhole(
  part: FilePart,
  limits: Pick<Limits, "documentBytes">,
  what: string,
): Promise<Buffer> {
  await using file = part;
  if (file.size > limits.documentBytes)
    throw tooLarge(`${what} has ${file.size} bytes`, limits.documentBytes);
  const bytes = Buffer.alloc(file.size);
  return bytes.subarray(0, await file.read(bytes, 0));
}

/** The bytes from an offset on. The file is opened when they are read, so that a body nobody reads holds nothing. */
export async function* readPieces(
  openPart: () => Promise<FilePart>,
  offset: number,
  signal: AbortSignal,
  op: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await openPart();
  for (let at = offset; ;) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    const buffer = Buffer.allocUnsafe(pieceBytes);
    const length = await file.read(buffer, at);
    if (length === 0) return;
    at += length;
    yield buffer.subarray(0, length);
  }
}
