import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { readAtMost } from "./read-at-most.ts";

/**
 * Reads a file whose place others may have put anything into. Opening does not wait, as a FIFO would have it for ever,
 * and no more than `limit` bytes are taken even of what grows meanwhile.
 *
 * @throws what the system says, as ENOENT
 */
export async function readSmallFile(
  path: string,
  limit: number,
): Promise<Buffer | "not a file" | "too large"> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (!(await handle.stat()).isFile()) return "not a file";
  const { bytes, cut } = await readAtMost(handle.createReadStream({ autoClose: false }), limit);
  return cut ? "too large" : bytes;
}
