import { unsafeCharacters } from "./unsafe-characters.ts";

declare const byteBrand: unique symbol;

/**
 * Bytes as a string: each character is one byte, 0 to 255 (latin1). File names, link targets and xattr names are
 * kept like this, because Linux gives them no encoding; they compare, hash and concatenate as strings do.
 */
export type ByteString = string & { readonly [byteBrand]: true };

function assertByteString(_text: string): asserts _text is ByteString {
  // The brand has no run-time form; callers below only pass text that came out of a latin1 decoder.
}

/** The bytes of `buffer` from `start` to `end`. Copies: the buffer may be reused. */
export function byteString(buffer: Buffer, start = 0, end = buffer.length): ByteString {
  const text = buffer.toString("latin1", start, end);
  assertByteString(text);
  return text;
}

/** The UTF-8 bytes of a JavaScript string. */
export function utf8Bytes(text: string): ByteString {
  return byteString(Buffer.from(text, "utf8"));
}

/** Joins byte strings that are already known as such. */
export function joinBytes(parts: readonly ByteString[], separator: "/" | "" = ""): ByteString {
  const text = parts.join(separator);
  assertByteString(text);
  return text;
}

export function sliceBytes(bytes: ByteString, start: number, end?: number): ByteString {
  const text = bytes.slice(start, end);
  assertByteString(text);
  return text;
}

export function splitPath(bytes: ByteString): readonly ByteString[] {
  const out: ByteString[] = [];
  for (const part of bytes.split("/")) {
    assertByteString(part);
    out.push(part);
  }
  return out;
}

/** A buffer of its own with those bytes, for system calls. */
export function bytesToBuffer(bytes: ByteString): Buffer {
  return Buffer.from(bytes, "latin1");
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
// With C0, and the backslash that introduces an escape.
const unprintable = new RegExp(`[\\u0000-\\u001f${unsafeCharacters}\\\\]`, "u");

/**
 * The bytes for a person: UTF-8 where they are printable UTF-8, otherwise every byte outside of printable ASCII
 * as `\xNN` and a backslash as `\\`. Distinct bytes give distinct text, and no terminal escape survives.
 */
export function printable(bytes: ByteString): string {
  try {
    const text = strictUtf8.decode(bytesToBuffer(bytes));
    if (!unprintable.test(text)) return text;
  } catch {
    // Not UTF-8: shown byte by byte.
  }
  let out = "";
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes.charCodeAt(i);
    if (code === 0x5c) out += "\\\\";
    else if (code >= 0x20 && code < 0x7f) out += bytes.charAt(i);
    else out += `\\x${code.toString(16).padStart(2, "0")}`;
  }
  return out;
}

/** The bytes that `printable` shows as `text`; any other text stands for its UTF-8. */
export function fromPrintable(text: string): ByteString {
  const pieces = text.split(/(\\\\|\\x[0-9a-f]{2})/u).map((piece, at) => {
    if (at % 2 === 0) return Buffer.from(piece, "utf8");
    return piece === "\\\\" ? Buffer.from("\\") : Buffer.from(piece.slice(2), "hex");
  });
  return byteString(Buffer.concat(pieces));
}
