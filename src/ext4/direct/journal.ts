import { blockBytes } from "../geometry.ts";

/**
 * `struct journal_superblock_s`, kernel Documentation/filesystems/ext4/journal.rst, "Super Block": offsets in bytes,
 * big-endian as all of jbd2. The features (64bit, checksums) stay zero, as mke2fs leaves them: the kernel sets those
 * that it wants when it mounts (`ext4_load_journal`).
 */
const field = {
  magic: 0x0, // u32
  blockType: 0x4, // u32: 4 for a superblock of version 2
  blockSize: 0xc, // u32, bytes
  maxLength: 0x10, // u32, blocks of the journal
  first: 0x14, // u32, first block of the log
  sequence: 0x18, // u32, first transaction to come
  start: 0x1c, // u32: 0 for nothing to replay
  uuid: 0x30, // 16 bytes
  userCount: 0x40, // u32, file systems that use the journal
} as const;
const magic = 0xc03b3998;

/** Writes the superblock of a clean, empty journal to its first block, which held zeros, as do all others. */
export function encodeJournal(out: Buffer, blocks: number, uuid: Buffer): void {
  out.writeUInt32BE(magic, field.magic);
  out.writeUInt32BE(4, field.blockType);
  out.writeUInt32BE(blockBytes, field.blockSize);
  out.writeUInt32BE(blocks, field.maxLength);
  out.writeUInt32BE(1, field.first);
  out.writeUInt32BE(1, field.sequence);
  out.writeUInt32BE(0, field.start);
  uuid.copy(out, field.uuid);
  out.writeUInt32BE(1, field.userCount);
}
