import { posix } from "node:path";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";

const op = "read archive";
const blockBytes = 512;

/** Where a member's content lies in its archive. */
export interface Member {
  readonly start: number;
  readonly size: number;
  /** What a link leads to, as a member's name; undefined for a file. */
  readonly target: string | undefined;
}

export interface ReadableFile {
  readonly size: number;
  read(buffer: Buffer, at: number): Promise<number>;
}

type MemberLimits = Pick<Limits, "archiveMembers" | "paxBytes" | "pathBytes">;

/** What PAX records and GNU's long names say of the next member. */
interface Extended {
  path?: string;
  linkpath?: string;
  size?: number;
}

/**
 * Lists the files and links of a tar archive: POSIX.1-1988 (ustar), 2001 (PAX), and GNU's long names. This is the
 * outer archive alone, which a tool for images wrote; the layers inside are read elsewhere, and to the letter. Of a
 * name that occurs twice the last counts, as tar has it.
 *
 * @throws BangerError SOURCE_UNKNOWN where it is no tar archive, or a broken one
 */
export async function readMembers(
  file: ReadableFile,
  path: string,
  limits: MemberLimits,
): Promise<ReadonlyMap<string, Member>> {
  const members = new Map<string, Member>();
  const header = Buffer.alloc(blockBytes);
  let extended: Extended = {};
  let count = 0;
  for (let at = 0; at + blockBytes <= file.size;) {
    if ((await file.read(header, at)) < blockBytes || isZero(header)) break;
    checkHeader(header, path, at);
    if (++count > limits.archiveMembers)
      throw invalid(path, `has more than ${limits.archiveMembers} members`);
    const type = header.toString("latin1", 156, 157);
    const isExtension = /[xgLK]/.test(type);
    const size = isExtension ? number(header, 124, path) : (extended.size ?? number(header, 124, path));
    const start = at + blockBytes;
    if (start + size > file.size) throw invalid(path, "is cut short");
    if (isExtension) {
      if (size > limits.paxBytes) throw invalid(path, `has a header of ${size} bytes`);
      Object.assign(extended, parseExtension(type, await readAt(file, start, size), path));
    } else {
      const { path: name = "", linkpath = "" } = extended;
      if (Math.max(name.length, linkpath.length) > limits.pathBytes) {
        throw invalid(path, `has a name of more than ${limits.pathBytes} bytes`);
      }
      addMember(members, header, type, { start, size }, extended);
      extended = {};
    }
    at = start + Math.ceil(size / blockBytes) * blockBytes;
  }
  if (count === 0) throw invalid(path, "is no tar archive, or an empty one");
  return members;
}

function addMember(
  members: Map<string, Member>,
  header: Buffer,
  type: string,
  place: { readonly start: number; readonly size: number },
  extended: Extended,
): void {
  const name = memberName(extended.path ?? headerName(header));
  if (name === undefined) return;
  const link = extended.linkpath ?? text(header, 157, 100);
  if (type === "0" || type === "\0" || type === "7") members.set(name, { ...place, target: undefined });
  else if (type === "1") members.set(name, { start: 0, size: 0, target: memberName(link) ?? "" });
  else if (type === "2") {
    const target = memberName(link.startsWith("/") ? link : posix.join(posix.dirname(name), link));
    members.set(name, { start: 0, size: 0, target: target ?? "" });
  }
}

/** `./a//b` is `a/b`; undefined for what leads out of the archive. */
export function memberName(name: string): string | undefined {
  const normal = posix.normalize(name).replace(/^\/+/, "").replace(/\/+$/, "");
  return normal === "." || normal === "" || normal === ".." || normal.startsWith("../") ? undefined : normal;
}

function headerName(header: Buffer): string {
  const prefix = header.toString("latin1", 257, 263) === "ustar\0" ? text(header, 345, 155) : "";
  const name = text(header, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

function parseExtension(type: string, bytes: Buffer, path: string): Extended {
  if (type === "L") return { path: text(bytes, 0, bytes.length) };
  if (type === "K") return { linkpath: text(bytes, 0, bytes.length) };
  // A global header's records are comments, in all that tools for images write.
  return type === "g" ? {} : parsePax(bytes, path);
}

/** `<length> <key>=<value>\n`, the length counting all of it. */
function parsePax(bytes: Buffer, path: string): Extended {
  const found: Extended = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, Math.max(at, space)));
    const end = at + length;
    if (space < 0 || !Number.isSafeInteger(length) || end <= space + 1 || end > bytes.length) {
      throw invalid(path, "has a broken PAX header");
    }
    const [, key, value = ""] = /^([^=]*)=([^]*)\n$/.exec(bytes.toString("utf8", space + 1, end)) ?? [];
    if (key === "path") found.path = value;
    if (key === "linkpath") found.linkpath = value;
    if (key === "size" && /^\d{1,15}$/.test(value)) found.size = Number(value);
    at = end;
  }
  return found;
}

function checkHeader(header: Buffer, path: string, at: number): void {
  let sum = 8 * 0x20;
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte;
  if (Number.parseInt(text(header, 148, 8).trim(), 8) === sum) return;
  if (at > 0) throw invalid(path, `is broken at byte ${at}`);
  const magic = header.toString("hex", 0, 4);
  if (
    magic.startsWith("1f8b") ||
    magic === "28b52ffd" ||
    magic === "fd377a58" ||
    magic.startsWith("425a68")
  ) {
    throw invalid(path, "is compressed", "Decompress it first, as by gunzip, zstd -d, unxz or bunzip2.");
  }
  throw invalid(path, "is no tar archive");
}

/** Octal digits, or GNU's base 256 where the first bit is set. */
function number(header: Buffer, start: number, path: string): number {
  if (header.readUInt8(start) === 0x80) {
    const value = header.readUIntBE(start + 6, 6);
    if (header.subarray(start + 1, start + 6).every((byte) => byte === 0)) return value;
  }
  const digits = text(header, start, 12).trim();
  if (/^[0-7]*$/.test(digits)) return Number.parseInt(digits || "0", 8);
  throw invalid(path, "has a member of a malformed size");
}

function text(bytes: Buffer, start: number, length: number): string {
  const end = bytes.indexOf(0, start);
  const limit = start + length;
  return bytes.toString("utf8", start, end < 0 || end > limit ? limit : end);
}

async function readAt(file: ReadableFile, at: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  return bytes.subarray(0, await file.read(bytes, at));
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

function invalid(path: string, problem: string, hint?: string): BangerError {
  return new BangerError("SOURCE_UNKNOWN", `${path} ${problem}`, {
    op,
    hint: hint ?? "Make the archive anew, as by `docker save` or `skopeo copy`.",
  });
}
