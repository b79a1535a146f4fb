import { unsafeCharacters } from "./unsafe-characters.ts";

/** With C0 and lone surrogates. */
const unsafe = new RegExp(`[\\u0000-\\u001f${unsafeCharacters}]|\\p{Surrogate}`, "gu");

/**
 * Text of a server, an image or a registry, for a terminal: what could move the cursor, change colours or
 * reorder a line is shown as `\xNN` or `\u{NNNN}`.
 */
export function safeText(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
  });
}

/** The same for text of several lines, whose breaks and tabs stay. */
export function safeLines(text: string): string {
  return text.replace(/[^\n\t]+/g, safeText);
}
