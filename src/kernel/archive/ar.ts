import { sourceFault } from "./archive-fault.ts";

/** A file as far as it is read here: `read` fills the buffer, fewer bytes only where the file ends. */
export interface RandomAccess {
  readonly size: number;
  read(buffer: Buffer, at: number): Promise<number>;
}

export interface ArMember {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

const magic = "!<arch>\n";
const headerBytes = 60;
/** A package has three; signers and others add one each. */
const maxMembers = 64;

/**
 * The members of an ar archive in the common format, as ar(5) and deb(5) have it: their headers alone are read. Long
 * names, which a package has none of, are not decoded.
 *
 * @throws BangerError KERNEL_SOURCE_INVALID
 */
export async function readArMembers(file: RandomAccess, subject: string): Promise<readonly ArMember[]> {
  const start = Buffer.alloc(magic.length);
  if ((await file.read(start, 0)) < start.length || start.toString("latin1") !== magic) {
    throw sourceFault(subject, "is no Debian package: it is not an ar archive");
  }
  const members: ArMember[] = [];
  const header = Buffer.alloc(headerBytes);
  for (let at = magic.length; at < file.size;) {
    if (members.length === maxMembers) throw sourceFault(subject, `has more than ${maxMembers} members`);
    if ((await file.read(header, at)) < headerBytes) throw sourceFault(subject, "is cut short in a header");
    const member = parseArHeader(header, at + headerBytes);
    if (typeof member === "string") throw sourceFault(subject, `has ${member}`);
    const end = member.start + member.size;
    if (end > file.size) throw sourceFault(subject, `is cut short in its member ${quoted(member.name)}`);
    members.push(member);
    // Members begin on even bytes; the last one's padding may be left out.
    at = end + (end % 2);
  }
  return members;
}

/** One header: the member, whose content begins at `start`, or what is wrong with it. */
function parseArHeader(header: Buffer, start: number): ArMember | string {
  const text = header.toString("latin1");
  if (text.slice(58) !== "`\n") return "something that is no header where a member should begin";
  const name = text.slice(0, 16).replace(/ +$/, "").replace(/\/$/, "");
  if (!/^[\x21-\x7e]+$/.test(name)) return "a member without a proper name";
  const size = text.slice(48, 58).replace(/ +$/, "");
  if (!/^[0-9]{1,10}$/.test(size)) return `a member, ${quoted(name)}, whose size is no number`;
  return { name, start, size: Number(size) };
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
