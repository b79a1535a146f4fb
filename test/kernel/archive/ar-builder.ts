/** One member's header and content; any field can be overridden by what no tool would write. */
export interface MemberSpec {
  readonly name: string;
  readonly content: Buffer | string;
  /** In place of the content's length. */
  readonly size?: string;
  /** In place of the two bytes that end a header. */
  readonly end?: string;
}

export function arMember({ name, content, size, end = "`\n" }: MemberSpec): Buffer {
  const bytes = Buffer.from(content);
  const fields = [
    name.padEnd(16),
    "1700000000".padEnd(12),
    "0".padEnd(6),
    "0".padEnd(6),
    "100644".padEnd(8),
    (size ?? String(bytes.length)).padEnd(10),
    end,
  ];
  const padding = bytes.length % 2 === 0 ? "" : "\n";
  return Buffer.concat([Buffer.from(fields.join(""), "latin1"), bytes, Buffer.from(padding)]);
}

export function arOf(...members: readonly MemberSpec[]): Buffer {
  return Buffer.concat([Buffer.from("!<arch>\n"), ...members.map((member) => arMember(member))]);
}

/** A Debian package with those members for its control and data. */
export function debOf(data: MemberSpec, control: MemberSpec = { name: "control.tar", content: "" }): Buffer {
  return arOf({ name: "debian-binary", content: "2.0\n" }, control, data);
}
