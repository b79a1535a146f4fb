import type { ByteString } from "../../base/bytes.ts";
import type { Inode } from "../../layers/root-tree.ts";
import { crc32c, crc32cZeros } from "../crc32c.ts";
import { blockBytes } from "../geometry.ts";
import { directoryEntryBytes } from "../space-needs.ts";
import { put16, put32 } from "./little-endian.ts";

/**
 * `struct ext4_dir_entry_2`, kernel Documentation/filesystems/ext4/directory.rst, "Linear (Classic) Directories":
 * offsets in bytes, little-endian.
 */
const entry = {
  inode: 0x0, // u32, 0 for an entry that is not in use
  recordLength: 0x4, // u16, bytes up to the next entry
  nameLength: 0x6, // u8, bytes
  fileType: 0x7, // u8, EXT4_FT_*
  name: 0x8, // up to 255 bytes
} as const;

/** `struct ext4_dir_entry_tail`, which passes for an unused entry; its checksum is a u32. */
const tail = { bytes: 12, fileType: 0x7, fileTypeValue: 0xde, checksum: 0x8 } as const;

/** What a block has for entries. */
export const directoryRoom = blockBytes - tail.bytes;

/** EXT4_FT_*: the kind of an inode, as its names say it. */
export const fileTypes: Readonly<Record<Inode["kind"], number>> = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  symlink: 7,
};

/** Fills one block, which held zeros, with entries one after the other. */
export class DirectoryBlock {
  readonly #out: Buffer;
  #end = 0;
  #last = 0;

  constructor(out: Buffer) {
    this.#out = out;
  }

  /** Whether an entry of that name fits after those added. */
  fits(name: ByteString): boolean {
    return this.#end + directoryEntryBytes(name) <= directoryRoom;
  }

  add(name: string, inode: number, fileType: number): void {
    const at = this.#end;
    const out = this.#out;
    const bytes = directoryEntryBytes(name);
    put32(out, at + entry.inode, inode);
    put16(out, at + entry.recordLength, bytes);
    out[at + entry.nameLength] = name.length;
    out[at + entry.fileType] = fileType;
    out.write(name, at + entry.name, "latin1");
    this.#last = at;
    this.#end = at + bytes;
  }

  /** Ends the block: the last entry takes the rest, or an unused one all of it, and the checksum follows. */
  finish(seed: number): void {
    const out = this.#out;
    put16(out, this.#last + entry.recordLength, directoryRoom - this.#last);
    put16(out, directoryRoom + entry.recordLength, tail.bytes);
    out[directoryRoom + tail.fileType] = tail.fileTypeValue;
    // `ext4_dirblock_csum` (fs/ext4/namei.c). What follows the last entry, or the length of one that is not in use, is zeros.
    const used = Math.max(this.#end, entry.name);
    const checksum = crc32cZeros(crc32c(seed, out, 0, used), directoryRoom - used);
    put32(out, directoryRoom + tail.checksum, checksum);
  }
}
