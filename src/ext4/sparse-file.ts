import { open } from "node:fs/promises";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";

/**
 * Makes a file of so many bytes, 0600, that takes no room on the disk yet and reads as zeros.
 *
 * @throws BangerError FILESYSTEM_ERROR where it is there already, or larger than its file system takes.
 */
export async function createSparse(path: string, bytes: number, op: string): Promise<void> {
  try {
    await using file = await open(path, "wx", 0o600);
    await file.truncate(bytes);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "EFBIG" && code !== "EEXIST") throw asBangerError(error, op);
    const what = code === "EFBIG" ? `can't hold a file of ${bytes} bytes` : "is there already";
    throw new BangerError("FILESYSTEM_ERROR", `${path} ${what}`, {
      op,
      cause: error,
      hint: "Choose another place for the state folder, or a smaller size.",
    });
  }
}
