/** What the first bytes of a program tell of how Linux would start it. */
export type ProgramHead =
  | { readonly kind: "elf"; readonly machine: number; readonly bits: 32 | 64; readonly loader: string }
  /** The interpreter that its first line names. */
  | { readonly kind: "script"; readonly interpreter: string }
  | { readonly kind: "unknown" };

/** BINPRM_BUF_SIZE (include/uapi/linux/binfmts.h): what the kernel reads of a script's first line. */
const scriptHead = 256;

const programHeaderInterpreter = 3;

/** Most program headers of an ELF file that are looked at; real ones have a dozen. */
const maxProgramHeaders = 64;

/** Longest name of a loader: Linux takes PATH_MAX (fs/binfmt_elf.c). */
const maxLoader = 4096;

/**
 * Reads a program's head, from anywhere in its bytes. Pure: bytes that make no sense are of kind unknown, as they are for
 * the kernel (ENOEXEC).
 *
 * @param read bytes at an offset, or as many as there are
 */
export function readProgramHead(read: (offset: number, length: number) => Buffer): ProgramHead {
  const head = read(0, scriptHead);
  if (head.length >= 4 && head.readUInt32BE(0) === 0x7f454c46) return readElf(head, read);
  if (head.toString("latin1", 0, 2) !== "#!") return { kind: "unknown" };
  // fs/binfmt_script.c: blanks, the interpreter, and perhaps a blank and one argument.
  const line = head.toString("utf8").split("\n")[0] ?? "";
  const interpreter = /^#![ \t]*([^ \t\0]+)/.exec(line)?.[1];
  return interpreter === undefined ? { kind: "unknown" } : { kind: "script", interpreter };
}

/** System V ABI, chapter 4 "ELF Header" and 5 "Program Header". */
function readElf(head: Buffer, read: (offset: number, length: number) => Buffer): ProgramHead {
  if (head.length < 64) return { kind: "unknown" };
  const bits = head[4] === 2 ? 64 : 32;
  const little = head[5] !== 2;
  const u16 = (bytes: Buffer, at: number): number =>
    little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
  const word = (bytes: Buffer, at: number): number => {
    if (bits === 32) return little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
    return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  };
  const [tableAt, sizeAt, countAt] = bits === 64 ? [32, 54, 56] : [28, 42, 44];
  const [offsetAt, lengthAt, leastSize] = bits === 64 ? [8, 32, 56] : [4, 16, 32];
  const size = u16(head, sizeAt);
  const count = size < leastSize ? 0 : Math.min(u16(head, countAt), maxProgramHeaders);
  const table = read(word(head, tableAt), size * count);
  const loader = Array.from({ length: Math.floor(table.length / Math.max(size, 1)) }, (_, at) =>
    table.subarray(at * size, (at + 1) * size),
  )
    .filter(
      (header) => (little ? header.readUInt32LE(0) : header.readUInt32BE(0)) === programHeaderInterpreter,
    )
    .map((header) => read(word(header, offsetAt), Math.min(word(header, lengthAt), maxLoader)))
    .map((name) => name.toString("utf8").split("\0")[0] ?? "")
    .at(0);
  return { kind: "elf", machine: u16(head, 18), bits, loader: loader ?? "" };
}
