import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, writeSync } from "node:fs";
import { bytesToBuffer, sliceBytes, type ByteString } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { cleanPath, parentPath, type CleanPath } from "../../layers/entry-path.ts";
import type { Segment } from "../../layers/layer-index.ts";
import type { ArchiveEntry, UnhashedFile } from "../../layers/tar/entry.ts";
import type { TarSink } from "../../layers/tar/tar-reader.ts";
import { entryFault, shownName } from "./archive-fault.ts";
import { tooLarge } from "./inflate.ts";

export type UnpackLimits = Pick<Limits, "nameBytes" | "pathBytes" | "kernelFiles" | "kernelBytes">;

/** What was unpacked. A link is not made, and where it would lead is nobody's concern. */
export interface Unpacked {
  readonly kind: "file" | "directory" | "symlink";
}

/** Names that are kept for an error that lists what there is. */
const mostSeen = 200;

/**
 * Takes the wanted entries of one archive or several into a folder. The folder is new and empty: what lies in it was
 * made here, and since no link is ever made, no name leads out of it. Files become 0644 and folders 0755, the caller's
 * own. Blocks its thread for one piece at a time. Close it, whatever happened.
 *
 * @throws BangerError KERNEL_SOURCE_INVALID for a path that leads out, a device, a name twice, a whiteout; LIMIT_*
 */
export class UnpackFolder implements TarSink, Disposable {
  readonly #folder: Buffer;
  readonly #wanted: (path: CleanPath) => boolean;
  readonly #subject: string;
  readonly #limits: UnpackLimits;
  readonly #made = new Map<CleanPath, Unpacked>();
  readonly #seen: string[] = [];
  #bytes = 0;
  #file: OpenFile | undefined;

  constructor(folder: string, wanted: (path: CleanPath) => boolean, subject: string, limits: UnpackLimits) {
    this.#folder = Buffer.from(`${folder}/`);
    this.#wanted = wanted;
    this.#subject = subject;
    this.#limits = limits;
  }

  /** By its clean path. */
  get made(): ReadonlyMap<CleanPath, Unpacked> {
    return this.#made;
  }

  /** Names of files and links in the archive, the first of them, wanted or not. */
  get seen(): readonly string[] {
    return this.#seen;
  }

  entry(entry: ArchiveEntry): void {
    this.#closeFile();
    const { path, fault } = cleanPath(entry.path, this.#limits);
    if (path === undefined) throw this.#refuse(entry.path, problems[fault]);
    if (entry.kind !== "directory" && this.#seen.length < mostSeen) this.#seen.push(shownName(path));
    if (path === "" || !this.#wanted(path)) return;
    this.#checkWhiteout(path);
    if (entry.kind === "directory") return this.#makeDirectory(path);
    if (this.#made.has(path)) throw this.#refuse(path, "is there twice");
    this.#makeDirectory(parentPath(path));
    switch (entry.kind) {
      case "file":
        return this.#openFile(path, entry);
      case "hardlink":
        return this.#link(path, entry.target);
      case "symlink":
        return this.#note(path, { kind: "symlink" });
      default:
        throw this.#refuse(path, `is no file but a ${entry.kind === "fifo" ? "FIFO" : "device"}`);
    }
  }

  content(piece: Buffer, last: boolean): void {
    this.#file?.write(piece);
    if (last) this.#closeFile();
  }

  loss(): void {
    // Of extended attributes, and none of them is kept.
  }

  [Symbol.dispose](): void {
    this.#closeFile();
  }

  #openFile(path: CleanPath, { size, segments, storedBytes }: UnhashedFile): void {
    this.#bytes += size;
    if (this.#bytes > this.#limits.kernelBytes) throw tooLarge(this.#subject, this.#limits.kernelBytes);
    this.#note(path, { kind: "file" });
    const file = openSync(this.#at(path), "wx", 0o644);
    this.#file = new OpenFile(file, size, segments);
    if (storedBytes === 0) this.#closeFile();
  }

  #closeFile(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.close();
  }

  /** To a file of the same folder: both names are ours. */
  #link(path: CleanPath, target: ByteString): void {
    const cleaned = cleanPath(target, this.#limits);
    const found = cleaned.path === undefined ? undefined : this.#made.get(cleaned.path);
    if (cleaned.path === undefined || found?.kind !== "file") {
      throw this.#refuse(path, `is a hard link to ${shownName(target)}, which is no file unpacked before it`);
    }
    this.#note(path, { kind: "file" });
    linkSync(this.#at(cleaned.path), this.#at(path));
  }

  /** And those above it. */
  #makeDirectory(path: CleanPath): void {
    if (path === "" || this.#made.get(path)?.kind === "directory") return;
    if (this.#made.has(path))
      throw this.#refuse(path, "is a folder for some entries and something else for others");
    this.#makeDirectory(parentPath(path));
    this.#note(path, { kind: "directory" });
    mkdirSync(this.#at(path), 0o755);
  }

  #note(path: CleanPath, what: Unpacked): void {
    if (this.#made.size >= this.#limits.kernelFiles) {
      const limit = this.#limits.kernelFiles;
      throw new BangerError(
        "LIMIT_ENTRIES",
        `${this.#subject} has more than the ${limit} files that are allowed`,
        {
          op: "unpack kernel",
          hint: "It is hardly a kernel; if it is, raise kernel_files under [limits] in the config.",
        },
      );
    }
    this.#made.set(path, what);
  }

  /** Of an image with several layers: what it hides can't be told without merging them all. */
  #checkWhiteout(path: CleanPath): void {
    if (sliceBytes(path, path.lastIndexOf("/") + 1).startsWith(".wh.")) {
      throw this.#refuse(path, "is a whiteout: make the artifact of one layer");
    }
  }

  #at(path: CleanPath): Buffer {
    return Buffer.concat([this.#folder, bytesToBuffer(path)]);
  }

  #refuse(path: ByteString, problem: string): BangerError {
    return entryFault(this.#subject, path, problem);
  }
}

const problems = {
  empty: "has no name",
  nul: "has a NUL in its name",
  "escapes-root": "leads out of the archive",
  "name-too-long": "has too long a name",
  "path-too-long": "has too long a path",
} as const;

/** A file being written: its stored bytes one after the other, or each run of them to its place where it is sparse. */
class OpenFile {
  readonly #file: number;
  readonly #size: number;
  readonly #segments: readonly Segment[] | undefined;
  #written = 0;
  #segment = 0;
  #inSegment = 0;

  constructor(file: number, size: number, segments: readonly Segment[] | undefined) {
    this.#file = file;
    this.#size = size;
    this.#segments = segments;
  }

  write(piece: Buffer): void {
    for (let done = 0; done < piece.length;) {
      const run = this.#segments?.[this.#segment];
      const room = run === undefined ? piece.length - done : run.length - this.#inSegment;
      const at = run === undefined ? this.#written : run.offset + this.#inSegment;
      const wrote =
        room === 0 ? 0 : writeSync(this.#file, piece, done, Math.min(room, piece.length - done), at);
      done += wrote;
      this.#written += wrote;
      this.#inSegment += wrote;
      if (run === undefined || this.#inSegment < run.length) continue;
      this.#segment++;
      this.#inSegment = 0;
    }
  }

  close(): void {
    try {
      // A hole at its end is in no segment.
      if (this.#segments !== undefined) ftruncateSync(this.#file, this.#size);
    } finally {
      closeSync(this.#file);
    }
  }
}
