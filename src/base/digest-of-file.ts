import { createReadStream } from "node:fs";
import { Digester, type Digest, type DigestAlgorithm } from "./digest.ts";

/** Bytes of a read: fewer would spend more on each call than on hashing. */
const readBytes = 1024 * 1024;

/** Hashes a file from end to end. @throws what the system says, or an AbortError whose cause is the signal's reason */
export async function digestOfFile(
  path: string,
  algorithm: DigestAlgorithm,
  signal: AbortSignal,
): Promise<Digest> {
  const digester = new Digester(algorithm);
  const pieces: AsyncIterable<Uint8Array> = createReadStream(path, { signal, highWaterMark: readBytes });
  for await (const piece of pieces) digester.update(piece);
  return digester.digest();
}
