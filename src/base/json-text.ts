import { unsafeCharacters } from "./unsafe-characters.ts";

/** What JSON itself lets stand as it is. */
const unescaped = new RegExp(`[${unsafeCharacters}]`, "gu");

/**
 * A value as JSON that is harmless on a terminal too: what could move its cursor or reorder a line is escaped, as
 * C0 is by JSON's own rule (RFC 8259, section 7). Such characters can only be inside strings, so that it parses to the same.
 */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(unescaped, (character) =>
    character.split("").map(escaped).join(""),
  );
}

/** One unit of UTF-16; what is past U+FFFF are two (RFC 8259, section 7). */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
