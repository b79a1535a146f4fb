import { open, type FileHandle } from "node:fs/promises";
import { Digester, type Digest } from "../base/digest.ts";
import { BangerError, asBangerError } from "../base/error.ts";
import {
  ReleaseSearch,
  bannerStart,
  kernelHeadBytes,
  parseKernelHead,
  type KernelFormat,
  type KernelHead,
  type ProgramHeaders,
} from "./kernel-head.ts";
import { readAt } from "./read-at.ts";

/** What a kernel's file is, read from the file itself. */
export interface KernelIdentity {
  readonly format: KernelFormat;
  /** As OCI names it. */
  readonly architecture: string;
  /** As `uname -r` says inside. */
  readonly version: string;
  /** A vmlinux that QEMU and Cloud Hypervisor can enter; any bzImage and Image can be. */
  readonly pvh: boolean;
  readonly digest: Digest;
}

const op = "identify kernel";

/** Bytes read at a time. */
const pieceBytes = 1024 * 1024;

/**
 * Reads a kernel once: its head, its version and its digest.
 *
 * @param shown what errors call it, where it is a copy
 *
 * @throws BangerError KERNEL_INVALID, CANCELLED, or of the file system.
 */
export async function identifyKernel(
  path: string,
  signal: AbortSignal,
  shown: string = path,
): Promise<KernelIdentity> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const head = await readAt(file, 0, kernelHeadBytes);
    const found = parseKernelHead(head);
    if (found.kind === "refused") throw refused(shown, found);
    const { digest, release } = await readThrough(file, signal);
    const version = found.version ?? release;
    if (version === undefined) {
      throw refused(shown, { problem: "is no Linux kernel: it never says “Linux version”" });
    }
    const pvh = found.format !== "vmlinux" || (await hasPvhEntry(file, found.programHeaders));
    const { format, architecture } = found;
    return { format, architecture, version, pvh, digest };
  } catch (error) {
    throw asBangerError(error, op);
  } finally {
    await file?.close();
  }
}

function refused(
  path: string,
  { problem, hint }: Omit<KernelHead & { kind: "refused" }, "kind">,
): BangerError {
  const details = { op, facts: { path } };
  return new BangerError(
    "KERNEL_INVALID",
    `${path} ${problem}`,
    hint === undefined ? details : { ...details, hint },
  );
}

async function readThrough(
  file: FileHandle,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly release: string | undefined }> {
  const digester = new Digester();
  const banner = new ReleaseSearch(bannerStart);
  let release: string | undefined;
  let sizeBytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const piece = await readAt(file, sizeBytes, pieceBytes);
    if (piece.length === 0) break;
    digester.update(piece);
    sizeBytes += piece.length;
    release = banner.take(piece);
  }
  return { digest: digester.digest(), release };
}

const noteHeader = 4;
/** include/xen/interface/elfnote.h */
const pvhEntryNote = 18;

/** Whether a 64-bit vmlinux has the note that names its 32-bit entry (XEN_ELFNOTE_PHYS32_ENTRY, `CONFIG_PVH`). */
async function hasPvhEntry(file: FileHandle, headers: ProgramHeaders | undefined): Promise<boolean> {
  // An ELF file may have 65,535 of them; a kernel has five.
  if (headers === undefined || headers.count > 64 || headers.entryBytes < 56) return false;
  const table = await readAt(file, headers.offset, headers.count * headers.entryBytes);
  for (let at = 0; at + 56 <= table.length; at += headers.entryBytes) {
    if (table.readUInt32LE(at) !== noteHeader) continue;
    const offset = Number(table.readBigUInt64LE(at + 8));
    const bytes = Number(table.readBigUInt64LE(at + 32));
    if (bytes <= pieceBytes && hasNote(await readAt(file, offset, bytes))) return true;
  }
  return false;
}

/** Name and description are padded to four bytes each (System V ABI, "Note Section"). */
function hasNote(notes: Buffer): boolean {
  // Any 32 bits may be there: in whole numbers beyond them, so that each step leads on.
  const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;
  for (let at = 0; at + 12 <= notes.length;) {
    const [nameBytes, valueBytes] = [notes.readUInt32LE(at), notes.readUInt32LE(at + 4)];
    const name = notes.toString("latin1", at + 12, at + 12 + nameBytes);
    if (notes.readUInt32LE(at + 8) === pvhEntryNote && name === "Xen\0") return true;
    at += 12 + padded(nameBytes) + padded(valueBytes);
  }
  return false;
}
