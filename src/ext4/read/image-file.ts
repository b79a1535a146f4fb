import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { BangerError, asBangerError, errnoOf } from "../../base/error.ts";
import { corrupt, type Place } from "./corrupt.ts";

/** Metadata comes in pieces of this many bytes: 65,000 inodes of 256 bytes are 130 reads. */
const pieceBytes = 128 * 1024;
/** Pieces kept, the least recently used go first: 32 MiB. */
const piecesKept = 256;

/** The image's bytes, read-only. Metadata is read in large pieces that are kept; file contents are not kept. */
export class ImageFile implements Disposable {
  readonly path: string;
  readonly size: number;
  #fd: number | undefined;
  readonly #pieces = new Map<number, Buffer>();

  /** @throws BangerError FILESYSTEM_ERROR, or PERMISSION_DENIED. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#fd = openSync(path, "r");
      this.size = fstatSync(this.#fd).size;
    } catch (error) {
      throw systemError(error, path);
    }
  }

  /**
   * `length` bytes, which the caller must not change. Cheap where they don't cross a piece's border, as nothing
   * does that is aligned to its own size; keeping the view keeps its whole piece in memory.
   */
  metadata(position: number, length: number, place: Place): Buffer {
    if (position + length > this.size) throw corrupt(place, "lies past the end of the image");
    const start = position % pieceBytes;
    if (start + length <= pieceBytes) {
      return this.#piece(Math.floor(position / pieceBytes)).subarray(start, start + length);
    }
    const out = Buffer.allocUnsafe(length);
    this.readInto(position, out, place);
    return out;
  }

  /** Fills `target` from `position` on. */
  readInto(position: number, target: Uint8Array, place: Place): void {
    if (position + target.length > this.size) throw corrupt(place, "lies past the end of the image");
    if (this.#fd === undefined)
      throw new BangerError("INTERNAL", "the image was closed", { op: "read ext4" });
    let done = 0;
    while (done < target.length) {
      let count: number;
      try {
        count = readSync(this.#fd, target, done, target.length - done, position + done);
      } catch (error) {
        throw systemError(error, this.path);
      }
      if (count === 0) throw corrupt(place, "lies past the end of the image, which shrank");
      done += count;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#pieces.clear();
  }

  #piece(index: number): Buffer {
    const known = this.#pieces.get(index);
    if (known !== undefined) {
      // A Map keeps the order of insertion: putting it back makes it the youngest.
      this.#pieces.delete(index);
      this.#pieces.set(index, known);
      return known;
    }
    const position = index * pieceBytes;
    const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, this.size - position));
    this.readInto(position, piece, { offset: position });
    this.#pieces.set(index, piece);
    if (this.#pieces.size > piecesKept) {
      for (const oldest of this.#pieces.keys()) {
        this.#pieces.delete(oldest);
        break;
      }
    }
    return piece;
  }
}

function systemError(error: unknown, path: string): BangerError {
  const known = asBangerError(error, "read ext4");
  if (known.reason !== "INTERNAL") return known;
  return new BangerError("FILESYSTEM_ERROR", `${path} could not be read (${errnoOf(error) ?? "unknown"})`, {
    op: "read ext4",
    cause: error,
    hint: "Check that the path names an image file.",
  });
}
