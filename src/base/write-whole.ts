import type { FileHandle } from "node:fs/promises";

/**
 * Writes the pieces one after the other, from a position on. writev(2) takes less than it is given where the disk gets
 * full in the middle, and says so only when it is asked for the rest.
 *
 * @returns the position after the last of them
 */
export async function writeWhole(
  file: FileHandle,
  pieces: readonly Uint8Array[],
  start: number,
): Promise<number> {
  let position = start;
  // Writing nothing counts as an end.
  for (let left = pieces.filter(({ length }) => length > 0); left.length > 0;) {
    let { bytesWritten } = await file.writev(left, position);
    position += bytesWritten;
    const whole = left.findIndex((piece) => (bytesWritten -= piece.length) < 0);
    const cut = left[whole];
    left = cut === undefined ? [] : [cut.subarray(cut.length + bytesWritten), ...left.slice(whole + 1)];
  }
  return position;
}
