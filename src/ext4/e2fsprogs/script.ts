import { utf8Bytes, type ByteString } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import type { Timestamp } from "../../layers/layer-index.ts";

/**
 * Commands of debugfs. What its command language takes was found out by hand on e2fsprogs 1.47.0, and read in
 * debugfs/debugfs.c (`source_file`) and lib/ss/parse.c:
 * - a line ends at the first newline or carriage return, and at 8,191 bytes; what follows runs as a command;
 * - blanks part words; double quotes keep them together, and two of them inside are one; a backslash, a single
 *   quote and `#` mean nothing special, and any other byte passes;
 * - `<12>` is an inode where a command looks a path up, and a plain name where it makes one.
 */

/** The longest line that is read whole. */
const maxLineBytes = 8190;

// oxlint-disable-next-line no-control-regex -- control characters are what it is for
const lineBreaking = /[\u0000\n\r]/u;

/** Whether a name can stand in a script at all. */
export function isEncodable(name: string): boolean {
  return !lineBreaking.test(name);
}

/** A word of a command, whatever its bytes. @throws BangerError INTERNAL where {@link isEncodable} says no. */
export function quote(word: string): string {
  if (lineBreaking.test(word)) throw unencodable(word);
  return `"${word.replaceAll('"', '""')}"`;
}

function unencodable(word: string): BangerError {
  return new BangerError("INTERNAL", `${JSON.stringify(word)} can't be part of a debugfs script`, {
    op: "write debugfs script",
  });
}

/** A field of `sif`; those of two halves, as the uid, are set whole (debugfs/set_fields.c). */
export type Field =
  | "mode"
  | "uid"
  | "gid"
  | "links_count"
  | "block[0]"
  | "block[1]"
  | TimeField
  | `${TimeField}_extra`;

export type TimeField = "atime" | "ctime" | "mtime";

/** By number a command takes 1 µs; by path 25 µs and more. */
export function setField(inode: number, field: Field, value: number): string {
  // A bare number can be read as a date; `@` says seconds. Without it, numbers are decimal unless they begin with 0.
  const time = field === "atime" || field === "ctime" || field === "mtime";
  return `sif <${inode}> ${field} ${time ? "@" : ""}${value}`;
}

/**
 * A point in time, in the two words of the disk (Documentation/filesystems/ext4/inodes.rst, "Inode Timestamps"):
 * 32 bits of seconds, signed, and 2 bits that continue them below 30 bits of nanoseconds. debugfs 1.47.0 refuses
 * `@-1` and stores the low word of larger numbers; from 1.47.1 on it sets the extra word too. So the seconds go as
 * an unsigned word, and the extra word after them wherever it matters to either. `found` is what the disk has now.
 */
export function setTime(inode: number, field: TimeField, time: Timestamp, found: Timestamp): string[] {
  const { word, extra } = encodeTime(time);
  const before = encodeTime(found);
  const setExtra = setField(inode, `${field}_extra`, extra);
  if (word === before.word) return [setExtra];
  const seconds = setField(inode, field, word);
  return extra !== 0 || before.extra !== 0 || word >= 2 ** 31 ? [seconds, setExtra] : [seconds];
}

export function encodeTime({ seconds, nanoseconds }: Timestamp): { word: number; extra: number } {
  const word = seconds >>> 0;
  const epoch = (seconds - (word | 0)) / 2 ** 32;
  return { word, extra: ((nanoseconds << 2) | (epoch & 3)) >>> 0 };
}

/** The value comes from a file: inside of a command, a `""` would end it, and a NUL can't be. */
export function setXattr(inode: number, name: ByteString, valueFile: string): string {
  return `ea_set -f ${quote(utf8Bytes(valueFile))} <${inode}> ${quote(name)}`;
}

export function removeXattr(inode: number, name: ByteString): string {
  return `ea_rm <${inode}> ${quote(name)}`;
}

export function enterDirectory(inode: number): string {
  return `cd <${inode}>`;
}

/**
 * Makes a device or a FIFO in the current directory, which grows if it must: 0:0, mode 0000, number 0:0, as
 * `mknod` refuses large numbers. The name is taken as it is, `<12>` too; a slash would become part of it.
 */
export function makeNode(name: ByteString, kind: "character" | "block" | "fifo"): string {
  const type = kind === "fifo" ? "p" : kind === "character" ? "c 0 0" : "b 0 0";
  return `mknod ${quote(name)} ${type}`;
}

/** Frees an inode and its blocks, whatever names it has. It still counts as used until its link count is 0. */
export function discard(inode: number): string {
  return `kill_file <${inode}>`;
}

/** Gives a directory one empty block. */
export function growDirectory(inode: number): string {
  return `expand_dir <${inode}>`;
}

/**
 * Gives an inode another name. `source` is its number, or its name in the current directory. Neither does the
 * directory grow (1.47.0 says "No free space in the directory"), nor the link count.
 */
export function link(source: number | ByteString, directory: number, name: ByteString): string {
  const from = typeof source === "number" ? `<${source}>` : quote(`./${source}`);
  return `ln ${from} ${quote(`<${directory}>/${name}`)}`;
}

/** The bytes of a script. */
export function scriptBytes(commands: readonly string[]): Buffer {
  for (const command of commands) {
    if (command.length > maxLineBytes || command.includes("\n")) throw unencodable(command.slice(0, 300));
  }
  const text = `${commands.join("\n")}\n`;
  // All at once: a test for each of many commands took longer than debugfs did to run them.
  // oxlint-disable-next-line no-control-regex -- control characters are what it is for
  if (/[\0\r]/u.test(text)) throw unencodable("a line");
  return Buffer.from(text, "latin1");
}
