import { createHash } from "node:crypto";
import { BangerError } from "../base/error.ts";

/** Where a page ended: the value of the order's column, and the id that tells equals apart. */
export interface Position {
  readonly key: string | number;
  readonly id: string;
}

/** Bytes of the longest token that is looked at: a key is a name or a number, an id 24 characters. */
const maxTokenLength = 1024;

/** What a page's rows depend on besides the position; a token is good only for the list that gave it. */
export function fingerprint(...query: readonly (string | boolean | undefined)[]): string {
  return createHash("sha256").update(JSON.stringify(query)).digest("hex").slice(0, 16);
}

/** Opaque to clients: they hand it back and read nothing in it. */
export function formatPageToken(position: Position, print: string): string {
  return Buffer.from(JSON.stringify([print, position.key, position.id]), "utf8").toString("base64url");
}

/** @throws BangerError OPTION_INVALID for what `formatPageToken` did not make for this very list. */
export function parsePageToken(token: string, print: string): Position {
  if (token.length > maxTokenLength) throw tokenError("is too long");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    throw tokenError("is not one that a list gave");
  }
  if (!Array.isArray(value) || value.length !== 3) throw tokenError("is not one that a list gave");
  const [tokenPrint, key, id]: readonly unknown[] = value;
  if (tokenPrint !== print) throw tokenError("belongs to a list with another order or filter");
  if ((typeof key !== "string" && !Number.isSafeInteger(key)) || typeof id !== "string") {
    throw tokenError("is not one that a list gave");
  }
  const position: Position = { key: typeof key === "string" ? key : Number(key), id };
  if (formatPageToken(position, print) !== token) throw tokenError("is not one that a list gave");
  return position;
}

function tokenError(what: string): BangerError {
  return new BangerError("OPTION_INVALID", `the page token ${what}`, {
    op: "list",
    fields: [{ field: "page_token", description: `It ${what}.` }],
    hint: "Pass the next_page_token of the page before, with the same order and filters, or none.",
  });
}
