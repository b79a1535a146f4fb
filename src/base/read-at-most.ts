/** What came of a stream that may be longer than wanted. */
export interface BoundedBytes {
  readonly bytes: Buffer;
  /** There was more; it was not read. */
  readonly cut: boolean;
}

/** Reads at most `limit` bytes, and closes the stream where there is more. */
export async function readAtMost(stream: AsyncIterable<Uint8Array>, limit: number): Promise<BoundedBytes> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    pieces.push(piece);
    length += piece.length;
    if (length > limit) return { bytes: Buffer.concat(pieces).subarray(0, limit), cut: true };
  }
  return { bytes: Buffer.concat(pieces), cut: false };
}
