/**
 * Numbers in the byte order of ext4. Metadata are made of millions of them, each at a place that its encoder knows to be
 * inside of the block: Buffer's own methods check type and range of every one, which costs several times the stores.
 * What is too large is cut off.
 */
export function put16(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
}

export function put32(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  out[at + 3] = value >>> 24;
}
