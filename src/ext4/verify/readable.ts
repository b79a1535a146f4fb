import type { ByteString } from "../../base/bytes.ts";
import { hasReason } from "../../base/error.ts";
import type { Differences } from "./differences.ts";

/**
 * Does the work, or adds what keeps the image from being read as a difference of this path: a broken structure
 * is found under the name that leads to it, and the rest is compared all the same. Other errors pass.
 */
export function ifReadable<T>(
  path: ByteString,
  field: string,
  out: Differences,
  work: () => T,
): T | undefined {
  try {
    return work();
  } catch (error) {
    noteUnreadable(path, field, out, error);
    return undefined;
  }
}

export function noteUnreadable(path: ByteString, field: string, out: Differences, error: unknown): void {
  if (!hasReason(error, "FILESYSTEM_CORRUPT", "NOT_IMPLEMENTED")) throw error;
  out.add(path, field, "readable", error.message);
}
