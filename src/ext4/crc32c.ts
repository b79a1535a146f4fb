/** CRC-32C (Castagnoli), reflected: RFC 3720, appendix B.4. Node's zlib has CRC-32 only. */
const polynomial = 0x82f63b78;

/** Table `k` advances a byte over `k` more zero bytes, so that eight bytes are folded in at once ("slicing by 8"). */
const tables = buildTables();

function buildTables(): readonly Int32Array[] {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial;
    first[byte] = crc;
  }
  const out = [first];
  for (let k = 1; k < 8; k++) {
    const previous = out[k - 1] ?? first;
    out.push(previous.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] ?? 0)));
  }
  return out;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;

/** Powers of two, as many as a number of zeros in a block has binary digits. */
const zeroPowers = 12;

/**
 * Continues the checksum `seed` over bytes `start` to `end`, as the kernel's `crc32c()` does: nothing is inverted
 * at either end, a fresh checksum starts at 0xffffffff. The result is unsigned.
 */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (!t0 || !t1 || !t2 || !t3 || !t4 || !t5 || !t6 || !t7) return seed;
  let crc = seed | 0;
  let at = start;
  // Indices stay in bounds: the loop ends eight bytes before `end`, and a table has an entry for every byte.
  for (const last = end - 8; at <= last; at += 8) {
    crc ^=
      byteAt(bytes, at) |
      (byteAt(bytes, at + 1) << 8) |
      (byteAt(bytes, at + 2) << 16) |
      (byteAt(bytes, at + 3) << 24);
    crc =
      entry(t7, crc) ^
      entry(t6, crc >>> 8) ^
      entry(t5, crc >>> 16) ^
      entry(t4, crc >>> 24) ^
      entry(t3, byteAt(bytes, at + 4)) ^
      entry(t2, byteAt(bytes, at + 5)) ^
      entry(t1, byteAt(bytes, at + 6)) ^
      entry(t0, byteAt(bytes, at + 7));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ entry(t0, crc ^ byteAt(bytes, at));
  return crc >>> 0;
}

/** Continues the checksum over a 32-bit little-endian word: inode and group numbers are mixed in like that. */
export function crc32cWord(seed: number, word: number): number {
  if (!t0) return seed;
  let crc = (seed ^ word) | 0;
  for (let byte = 0; byte < 4; byte++) crc = (crc >>> 8) ^ entry(t0, crc);
  return crc >>> 0;
}

/**
 * By `k`: what 2^k zero bytes make of a checksum that has one byte other than zero, that one being the lowest, the
 * second and so on. A checksum over zeros is linear in what it starts with, so the four parts combine by XOR.
 */
const zeroTables = buildZeroTables();

function buildZeroTables(): readonly Int32Array[] {
  const one = new Int32Array(4 * 256);
  for (let i = 0; i < one.length; i++) {
    const part = (i & 0xff) << (8 * (i >>> 8));
    one[i] = (part >>> 8) ^ (t0 === undefined ? 0 : entry(t0, part));
  }
  const out = [one];
  for (let k = 1; k < zeroPowers; k++) {
    const half = out[k - 1] ?? one;
    out.push(half.map((crc) => overZeros(half, crc)));
  }
  return out;
}

function overZeros(table: Int32Array, crc: number): number {
  return (
    (table[crc & 0xff] ?? 0) ^
    (table[256 + ((crc >>> 8) & 0xff)] ?? 0) ^
    (table[512 + ((crc >>> 16) & 0xff)] ?? 0) ^
    (table[768 + (crc >>> 24)] ?? 0)
  );
}

/** Continues the checksum over `count` zero bytes, fewer than 2^12, in a dozen steps at most. @throws RangeError past that. */
export function crc32cZeros(seed: number, count: number): number {
  if (count >= 2 ** zeroPowers) throw new RangeError(`${count} zeros are more than a block has`);
  let crc = seed | 0;
  for (let k = 0; count >>> k > 0; k++) {
    const table = zeroTables[k];
    if (((count >>> k) & 1) === 1 && table !== undefined) crc = overZeros(table, crc);
  }
  return crc >>> 0;
}

function entry(table: Int32Array, index: number): number {
  return table[index & 0xff] ?? 0;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
