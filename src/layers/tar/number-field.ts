/**
 * A number of a tar header: octal in ASCII, or base-256.
 *
 * Octal is read as GNU tar (`from_header`), Go and libarchive all read it: spaces, digits, spaces, then the
 * field's end or a NUL with anything behind it; a blank field is 0. Where they differ (a NUL before the digits, a
 * second number, a sign) it is no number: parsers must not come to disagree on where the next header is.
 *
 * Base-256 is GNU's and star's: the first bit set, the rest a big-endian two's complement.
 *
 * @returns undefined for what is not a number, or not one that a double holds exactly.
 */
export function numberField(block: Buffer, start: number, bytes: number): number | undefined {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, start, start + bytes);
  const digits = octalField.exec(block.toString("latin1", start, start + bytes))?.groups?.["digits"];
  if (digits === undefined) return undefined;
  // Twelve digits at most: 36 bits.
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

const octalField = /^(?: *(?<digits>[0-7]+) *(?:\0[^]*)?|(?<digits>)[ \0]*)$/;

function base256(block: Buffer, start: number, end: number): number | undefined {
  const first = block[start] ?? 0;
  const negative = (first & 0x40) !== 0;
  const flip = negative ? 0xff : 0;
  let value = (first ^ flip) & 0x3f;
  for (let at = start + 1; at < end; at++) {
    value = value * 256 + ((block[at] ?? 0) ^ flip);
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return negative ? -1 - value : value;
}

/** A PAX number: decimal digits alone. Undefined for anything else, or more than a double holds exactly. */
export function decimal(text: string): number | undefined {
  if (!/^[0-9]{1,20}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
