import { constants } from "node:fs";
import { open } from "node:fs/promises";

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
  // `end` is the last byte that is read: one more than may be.
  const stream: AsyncIterable<Uint8Array> = handle.createReadStream({ autoClose: false, end: limit });
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  return bytes.length > limit ? "too large" : bytes;
}
