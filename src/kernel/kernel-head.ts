/** How a file that a VMM is to start is laid out. */
export const kernelFormats = ["bzImage", "vmlinux", "Image"] as const;

export type KernelFormat = (typeof kernelFormats)[number];

/** What a kernel's first bytes tell. */
export type KernelHead =
  | {
      readonly kind: "kernel";
      readonly format: KernelFormat;
      /** As OCI names it. */
      readonly architecture: string;
      /** As `uname -r` would say; undefined where only the banner, further on, has it. */
      readonly version: string | undefined;
      /** Where the program headers are; undefined for all but vmlinux. */
      readonly programHeaders: ProgramHeaders | undefined;
    }
  | { readonly kind: "refused"; readonly problem: string; readonly hint?: string };

export interface ProgramHeaders {
  readonly offset: number;
  readonly entryBytes: number;
  readonly count: number;
}

/** Bytes that are enough for all of it: a bzImage's version lies in its setup code, which has at most 64 sectors. */
export const kernelHeadBytes = 64 * 512 + 1024;

/** What a file begins with that somebody has to inflate first. */
const compressions: readonly (readonly [name: string, magic: string, inflate: string])[] = [
  ["gzip", "1f8b", "gunzip"],
  ["xz", "fd377a585a00", "unxz"],
  ["zstd", "28b52ffd", "unzstd"],
  ["bzip2", "425a68", "bunzip2"],
  ["lz4", "02214c18", "unlz4"],
  ["lz4", "04224d18", "unlz4"],
  ["lzop", "894c5a4f", "lzop -d"],
];

/** Processors of ELF (e_machine, System V ABI) that Linux runs on, as OCI names them. */
const machines: ReadonlyMap<number, string> = new Map([
  [3, "386"],
  [40, "arm"],
  [62, "amd64"],
  [183, "arm64"],
  [243, "riscv64"],
]);

/** Tells what kernel a file is by its first bytes. Pure. */
export function parseKernelHead(head: Buffer): KernelHead {
  const start = head.toString("hex", 0, 8);
  const packed = compressions.find(([, magic]) => start.startsWith(magic));
  if (packed !== undefined) {
    const [name, , inflate] = packed;
    const problem = `is compressed with ${name}, and a virtual machine starts only what is inflated`;
    return { kind: "refused", problem, hint: `Inflate it first: ${inflate}.` };
  }
  if (start.startsWith("7f454c46")) return parseElf(head);
  // Documentation/arch/arm64/booting.rst, "Call the kernel image"; a PE header, which has MZ in front, hides nothing.
  if (text(head, 0x38, 4) === "ARM\x64") return parseArm64(head);
  // drivers/firmware/efi/libstub/zboot-header.S
  if (text(head, 0, 2) === "MZ" && text(head, 4, 4) === "zimg") {
    const problem = "is compressed inside of an EFI program (zboot), which only firmware starts";
    return { kind: "refused", problem, hint: "Take the Image of the same build." };
  }
  // Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"
  if (text(head, 0x202, 4) === "HdrS" && u16(head, 0x1fe) === 0xaa55) return parseBzImage(head);
  return {
    kind: "refused",
    problem: "is no Linux kernel: neither a bzImage nor an ELF vmlinux nor an Image",
  };
}

/** Documentation/arch/x86/boot.rst. */
function parseBzImage(head: Buffer): KernelHead {
  const protocol = u16(head, 0x206);
  const loadedHigh = ((head[0x211] ?? 0) & 1) === 1;
  // The way in for anything but a boot sector of its own: xloadflags, which say 64-bit, came with protocol 2.12.
  if (protocol < 0x020c || !loadedHigh) {
    const [major, minor] = [protocol >> 8, protocol & 0xff];
    return { kind: "refused", problem: `speaks boot protocol ${major}.${minor}, older than Linux 3.8's` };
  }
  const is64Bit = (u16(head, 0x236) & 1) === 1;
  const at = u16(head, 0x20e);
  const setupBytes = ((head[0x1f1] ?? 0) || 4) * 512;
  const version = at === 0 || at >= setupBytes ? undefined : releaseIn(head, at + 0x200);
  const architecture = is64Bit ? "amd64" : "386";
  return { kind: "kernel", format: "bzImage", architecture, version, programHeaders: undefined };
}

function parseElf(head: Buffer): KernelHead {
  if (head.length < 64) return { kind: "refused", problem: "is cut short in its ELF header" };
  if (head[5] !== 1) return { kind: "refused", problem: "is for a big-endian processor" };
  const type = u16(head, 16);
  // ET_EXEC and ET_DYN: a module or an object file is ET_REL.
  if (type !== 2 && type !== 3) return { kind: "refused", problem: "is an ELF file that can't be started" };
  const machine = u16(head, 18);
  const architecture = machines.get(machine);
  if (architecture === undefined) {
    return { kind: "refused", problem: `is for a processor that is not known here (ELF machine ${machine})` };
  }
  const wide = head[4] === 2;
  const offset = wide ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28);
  const [entryBytes, count] = wide ? [u16(head, 54), u16(head, 56)] : [u16(head, 42), u16(head, 44)];
  const programHeaders = wide ? { offset, entryBytes, count } : undefined;
  return { kind: "kernel", format: "vmlinux", architecture, version: undefined, programHeaders };
}

function parseArm64(head: Buffer): KernelHead {
  const bigEndian = (head.readUInt32LE(24) & 1) === 1;
  if (bigEndian) return { kind: "refused", problem: "is for a big-endian processor" };
  const [format, architecture] = ["Image", "arm64"] as const;
  return { kind: "kernel", format, architecture, version: undefined, programHeaders: undefined };
}

/** What every kernel says first of itself (init/version-timestamp.c, `linux_banner`). */
export const bannerStart = Buffer.from("Linux version ");

/** Bytes of a release: `__NEW_UTS_LEN` (include/uapi/linux/utsname.h). */
export const maxRelease = 64;

const releasePattern = /^[0-9]+\.[0-9]+[A-Za-z0-9.+~_-]*$/;

/** Whether all of a text is a release: as such it is also a name, which leads nowhere and is no option. Pure. */
export function isRelease(text: string): boolean {
  return text.length <= maxRelease && releasePattern.test(text);
}

/**
 * Looks for a release after certain bytes, in what comes in pieces: it may lie across two. What else follows them, as
 * printf's own `%s` does near the kernel's banner, is none.
 */
export class ReleaseSearch {
  readonly #start: Buffer;
  #tail: Buffer = Buffer.alloc(0);
  #found: string | undefined;

  constructor(start: Buffer) {
    this.#start = start;
  }

  /** The first release in this piece and those before. */
  take(piece: Buffer): string | undefined {
    if (this.#found !== undefined) return this.#found;
    const seen = Buffer.concat([this.#tail, piece]);
    const start = this.#start;
    for (
      let at = seen.indexOf(start);
      at >= 0 && this.#found === undefined;
      at = seen.indexOf(start, at + 1)
    ) {
      this.#found = releaseIn(seen, at + start.length);
    }
    this.#tail = seen.subarray(Math.max(0, seen.length - (start.length + maxRelease + 1)));
    return this.#found;
  }
}

/** `6.1.0-42-cloud-amd64 (builder@host) …`, or undefined where something else stands. */
function releaseIn(bytes: Buffer, at: number): string | undefined {
  const said = bytes.toString("latin1", at, at + maxRelease + 1);
  // What ends it has to be there too, or it may have been cut short.
  const release = /^(.+?)[ \0]/s.exec(said)?.[1];
  return release !== undefined && isRelease(release) ? release : undefined;
}

function text(head: Buffer, at: number, length: number): string {
  return head.toString("latin1", at, at + length);
}

/** 0 past the end. */
function u16(head: Buffer, at: number): number {
  return at + 2 <= head.length ? head.readUInt16LE(at) : 0;
}
