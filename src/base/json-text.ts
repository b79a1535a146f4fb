/** DEL, C1, line separators, bidirectional controls and zero-width characters, which JSON itself lets stand as they are. */
const unescaped = /[\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/g;

/**
 * A value as JSON that is harmless on a terminal too: what could move its cursor or reorder a line is escaped, as
 * C0 is by JSON's own rule (RFC 8259, section 7). Such characters can only be inside strings, so that it parses to the same.
 */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    unescaped,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
