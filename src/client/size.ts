import { BangerError } from "../base/error.ts";
import { sizeBounds } from "../base/size-bounds.ts";

const units: Readonly<Record<string, bigint>> = {
  "": 1n,
  K: 1n << 10n,
  M: 1n << 20n,
  G: 1n << 30n,
  T: 1n << 40n,
};

/**
 * `4G`, `512MiB`, `1048576`: powers of 1,024.
 *
 * @throws BangerError SIZE_INVALID.
 */
export function parseSize(text: string): bigint {
  const match = /^(?<digits>[1-9][0-9]{0,15})(?<unit>[KMGT]?)(?:i?B)?$/i.exec(text.trim());
  const factor = units[(match?.groups?.["unit"] ?? "").toUpperCase()];
  const digits = match?.groups?.["digits"];
  if (digits === undefined || factor === undefined) {
    throw new BangerError("SIZE_INVALID", `${JSON.stringify(text)} is not a size`, {
      op: "read options",
      hint: "Write it as 4G, 512M or a number of bytes.",
      fields: [{ field: "size", description: "digits, then K, M, G or T" }],
    });
  }
  return BigInt(digits) * factor;
}

/**
 * The size of an image's file system, with its bounds told in the option's words; 0 where none is given.
 *
 * @throws BangerError SIZE_INVALID.
 */
export function parseImageSize(text: string | undefined): bigint {
  if (text === undefined) return 0n;
  const bytes = parseSize(text);
  if (bytes < sizeBounds.min) throw outside(text, "less than 4K", "Give it a unit, as 4G or 512M.");
  if (bytes > sizeBounds.max) {
    throw outside(text, "more than ext4 has room for", "Give less than 16T, or none, to have it chosen.");
  }
  return bytes;
}

function outside(text: string, what: string, hint: string): BangerError {
  return new BangerError("SIZE_INVALID", `--size ${text} is ${what}`, { op: "read options", hint });
}

/**
 * `90s`, `15m`, `12h`, `7d` as milliseconds.
 *
 * @throws BangerError OPTION_INVALID.
 */
export function parseAge(text: string): number {
  const match = /^(?<digits>[0-9]{1,6})(?<unit>[smhd])$/.exec(text.trim());
  const factor = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.groups?.["unit"] ?? ""];
  if (match === null || factor === undefined) {
    throw new BangerError("OPTION_INVALID", `${JSON.stringify(text)} is not a length of time`, {
      op: "read options",
      hint: "Write it as 90s, 15m, 12h or 7d.",
    });
  }
  return Number(match.groups?.["digits"]) * factor;
}
