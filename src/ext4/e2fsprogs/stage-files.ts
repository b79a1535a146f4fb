import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  chmodSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { bytesToBuffer, printable, type ByteString } from "../../base/bytes.ts";
import { BangerError, asBangerError, errnoOf, messageOf } from "../../base/error.ts";
import { makeRoom } from "../../base/make-room.ts";
import type { StagingFolder } from "./staging-folder.ts";
import type { StagedDirectory, StagedFile, StagedLink, StagedSymlink } from "./staging-plan.ts";

/**
 * What a worker does to the staging folder, in synchronous calls: promises for each file cost two to three times
 * the work. Real directories come first and symlinks last, so no call ever passes through a symlink, and every
 * file is made with O_EXCL: nothing that exists is written to.
 */
export function makeDirectories(folder: StagingFolder, directories: readonly StagedDirectory[]): void {
  for (const { path } of directories) {
    if (path !== "") naming("make directory", path, () => mkdirSync(folder.path(path), 0o700));
  }
}

/** After everything is in them, as names that are added change the time. Deepest first. */
export function finishDirectories(folder: StagingFolder, directories: readonly StagedDirectory[]): void {
  for (const { path, mode, seconds } of directories.toReversed()) {
    naming("finish directory", path, () => {
      const target = folder.path(path);
      // The folder itself stays closed to others: it is what keeps them out.
      if (path !== "" && mode !== 0o700) chmodSync(target, mode);
      if (seconds !== undefined) utimesSync(target, seconds, seconds);
    });
  }
}

export function makeLinks(folder: StagingFolder, other: StagingFolder, links: readonly StagedLink[]): void {
  for (const { path, existing } of links)
    naming("link", path, () => linkSync(other.path(existing), folder.path(path)));
}

export function makeSymlinks(folder: StagingFolder, symlinks: readonly StagedSymlink[]): void {
  for (const { path, target, seconds } of symlinks) {
    naming("make symlink", path, () => {
      const place = folder.path(path);
      symlinkSync(bytesToBuffer(target), place);
      if (seconds !== undefined) lutimesSync(place, seconds, seconds);
    });
  }
}

export function makeEmptyFiles(folder: StagingFolder, files: readonly StagedFile[]): void {
  for (const file of files) new OpenFile(folder, file).finish();
}

/** Picks the files of one layer out of its inflated stream. */
export class LayerFiles {
  readonly #folder: StagingFolder;
  /** In the order of the stream. */
  readonly #files: readonly StagedFile[];
  /** Index of the file that is being written, or comes next. */
  #at = 0;
  #open: OpenFile | undefined;
  #position = 0;
  /** Bytes of content, holes left out. */
  writtenBytes = 0;

  constructor(folder: StagingFolder, files: readonly StagedFile[]) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Takes the next bytes of the stream. */
  take(piece: Buffer): void {
    const start = this.#position;
    this.#position += piece.length;
    for (let file = this.#files[this.#at]; file !== undefined; file = this.#files[this.#at]) {
      if (file.offset >= this.#position) return;
      if (this.#open === undefined && file.offset < start) throw outOfOrder(file);
      this.#open ??= new OpenFile(this.#folder, file);
      const end = file.offset + file.storedBytes;
      const part = piece.subarray(Math.max(0, file.offset - start), Math.min(piece.length, end - start));
      this.#open.write(part);
      this.writtenBytes += part.length;
      if (end > this.#position) return;
      this.#open.finish();
      this.#open = undefined;
      this.#at += 1;
    }
  }

  /** @throws BangerError LAYER_INVALID where the stream ended before its last file did. */
  end(): void {
    const missing = this.#files[this.#at];
    if (missing === undefined) return;
    throw new BangerError(
      "LAYER_INVALID",
      `the layer ends before the content of ${printable(missing.path)}`,
      {
        op: "stage files",
        hint: "Remove the blob from the cache and pull again: it is not what was scanned.",
      },
    );
  }
}

const create = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** A file being written. A failed write leaves it open: the thread ends, and its descriptors with it. */
class OpenFile {
  readonly #file: StagedFile;
  readonly #fd: number;
  /** Stored bytes so far. */
  #stored = 0;
  /** Of a sparse file: index of the segment that the next byte is in, and how much of it is written. */
  #segment = 0;
  #inSegment = 0;

  constructor(folder: StagingFolder, file: StagedFile) {
    this.#file = file;
    this.#fd = naming("make file", file.path, () => openSync(folder.path(file.path), create, file.mode));
  }

  write(piece: Buffer): void {
    const { segments } = this.#file;
    for (let done = 0; done < piece.length;) {
      if (segments === undefined) {
        done += this.#writeAt(piece, done, piece.length, this.#stored + done);
        continue;
      }
      const segment = segments[this.#segment];
      if (segment === undefined) throw outOfOrder(this.#file);
      const end = Math.min(piece.length, done + segment.length - this.#inSegment);
      const count = this.#writeAt(piece, done, end, segment.offset + this.#inSegment);
      done += count;
      this.#inSegment += count;
      if (this.#inSegment === segment.length) {
        this.#segment += 1;
        this.#inSegment = 0;
      }
    }
    this.#stored += piece.length;
  }

  finish(): void {
    const { path, size, mode, seconds, storedBytes } = this.#file;
    naming("finish file", path, () => {
      // A hole at the end, or nothing but holes.
      if (size !== storedBytes) ftruncateSync(this.#fd, size);
      if ((mode & umask) !== 0) fchmodSync(this.#fd, mode);
      if (seconds !== undefined) futimesSync(this.#fd, seconds, seconds);
      if (this.#stored !== storedBytes || (size !== storedBytes && fstatSync(this.#fd).size !== size))
        throw outOfOrder(this.#file);
      closeSync(this.#fd);
    });
  }

  #writeAt(piece: Buffer, from: number, to: number, position: number): number {
    if (to === from) return 0;
    return naming("write file", this.#file.path, () => writeSync(this.#fd, piece, from, to - from, position));
  }
}

/** open(2) takes these bits away; most often none that matters. */
const umask = process.umask();

function outOfOrder(file: StagedFile): BangerError {
  return new BangerError("INTERNAL", `the content of ${printable(file.path)} is not laid out in order`, {
    op: "stage files",
  });
}

/** Runs a call, and names the file where it fails. */
function naming<T>(what: string, path: ByteString, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw stagingError(what, path, error);
  }
}

function stagingError(what: string, path: ByteString, error: unknown): BangerError {
  const op = "stage files";
  const shown = printable(path).slice(0, 300);
  const known = asBangerError(error, op);
  if (error instanceof BangerError) return error;
  const because = `${what} ${shown}: ${errnoOf(error) ?? messageOf(error)}`;
  if (known.reason === "DISK_FULL") {
    return new BangerError("DISK_FULL", `no space left in TMPDIR (${because})`, {
      op,
      cause: error,
      hint: makeRoom("TMPDIR"),
    });
  }
  return new BangerError("FILESYSTEM_ERROR", `TMPDIR can't hold the image's files: ${because}`, {
    op,
    cause: error,
    hint: "Point TMPDIR at a file system such as ext4, xfs, btrfs or tmpfs, or build with --builder direct.",
  });
}
