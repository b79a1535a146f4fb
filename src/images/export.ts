import { open, type FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { BangerError, asBangerError } from "../base/error.ts";

const op = "export image";

export type ExportFormat = "raw" | "zstd";

/** A part of what is exported, of `pieceBytes` at most. Whoever gets it may keep its bytes. */
export interface ExportPiece {
  /** Raw: where in the file system; what no piece covers is zeros. Compressed: where in the compressed stream. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface ImageExport {
  /** Of the file system, whatever the format. */
  readonly sizeBytes: number;
  /** In order, once. */
  readonly pieces: AsyncIterable<ExportPiece>;
}

/** Bytes of one read; of one piece, which becomes a message; and of what is left out where it is all zeros. */
const readBytes = 1024 * 1024;
const pieceBytes = 256 * 1024;
const blockBytes = 4096;
const zeros = Buffer.alloc(readBytes);

/**
 * Opens a file system to be copied out. Node can't ask for holes (`SEEK_DATA`), so that the file is read as a whole, which
 * the kernel does for a hole without a disk, and blocks of zeros are left out. The result is the same, byte for byte,
 * whatever a guest wrote to blocks that its file system calls free.
 *
 * The caller disposes of it. An image that is deleted in the meantime is still exported whole. At most a read and a few
 * pieces are in memory; a consumer that is slow holds the reading back.
 *
 * @throws BangerError CANCELLED, or of the file system, also from the pieces.
 */
export async function openExport(
  path: string,
  format: ExportFormat,
  signal: AbortSignal,
): Promise<ImageExport & AsyncDisposable> {
  try {
    await using opening = new AsyncDisposableStack();
    const file = opening.use(await open(path, "r"));
    const { size } = await file.stat();
    const pieces = format === "raw" ? rawPieces(file, size, signal) : compressedPieces(file, size, signal);
    const owned = opening.move();
    return { sizeBytes: size, pieces, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  } catch (error) {
    throw asBangerError(error, op);
  }
}

async function* rawPieces(
  file: FileHandle,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<ExportPiece, void, undefined> {
  let buffer = Buffer.allocUnsafeSlow(readBytes);
  for (let at = 0; at < size; at += readBytes) {
    const filled = await fill(file, buffer.subarray(0, Math.min(readBytes, size - at)), at, signal);
    let used = false;
    for (const { begin, end } of dataRuns(filled)) {
      used = true;
      yield { offset: at + begin, bytes: filled.subarray(begin, end) };
    }
    // What was handed out is somebody else's now.
    if (used) buffer = Buffer.allocUnsafeSlow(readBytes);
  }
}

/** Where a buffer has something else than zeros, in whole blocks, none longer than a piece. */
export function* dataRuns(bytes: Buffer): Generator<{ readonly begin: number; readonly end: number }> {
  if (bytes.equals(zeros.subarray(0, bytes.length))) return;
  let begin: number | undefined;
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const end = Math.min(at + blockBytes, bytes.length);
    const isHole = bytes.compare(zeros, 0, end - at, at, end) === 0;
    if (begin !== undefined && (isHole || at - begin === pieceBytes)) {
      yield { begin, end: at };
      begin = undefined;
    }
    if (!isHole) begin ??= at;
  }
  if (begin !== undefined) yield { begin, end: bytes.length };
}

/** One frame, with the size in its header and a checksum at its end (RFC 8878, section 3.1.1). */
async function* compressedPieces(
  file: FileHandle,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<ExportPiece, void, undefined> {
  const compressor = createZstdCompress({
    chunkSize: pieceBytes,
    pledgedSrcSize: size,
    params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_contentSizeFlag]: 1 },
  });
  const feeding = pipeline(wholeFile(file, size, signal), compressor, { signal });
  // Told by the stream below too; whichever comes first is thrown.
  feeding.catch(() => {});
  const output: AsyncIterable<Buffer> = compressor;
  let offset = 0;
  try {
    for await (const bytes of output) {
      yield { offset, bytes };
      offset += bytes.length;
    }
    await feeding;
  } catch (error) {
    throw asBangerError(signal.aborted ? signal.reason : error, op);
  }
}

async function* wholeFile(
  file: FileHandle,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < size; at += readBytes) {
    yield await fill(file, Buffer.allocUnsafeSlow(Math.min(readBytes, size - at)), at, signal);
  }
}

async function fill(
  file: FileHandle,
  buffer: Buffer,
  position: number,
  signal: AbortSignal,
): Promise<Buffer> {
  for (let done = 0; done < buffer.length;) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) {
      throw new BangerError("FILESYSTEM_CORRUPT", "the image's file shrank while it was read", { op });
    }
    done += bytesRead;
  }
  return buffer;
}
