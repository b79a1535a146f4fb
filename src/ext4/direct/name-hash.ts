import type { ByteString } from "../../base/bytes.ts";

/**
 * Half MD4 over a name (kernel fs/ext4/hash.c, `half_md4_transform`; directory.rst, "Hash Tree Directories"): three
 * rounds of eight steps over eight words, constants and shifts as there.
 */
const roundConstants = [0, 0x5a827999, 0x6ed9eba1] as const;
const roundShifts = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const;
const roundWords = [
  [0, 1, 2, 3, 4, 5, 6, 7],
  [1, 3, 5, 7, 0, 2, 4, 6],
  [3, 7, 2, 6, 1, 5, 0, 4],
] as const;

/** The state that a seed of zeros stands for: `ext4fs_dirhash`. */
const defaultState = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;
/** EXT4_HTREE_EOF_32BIT, which is no name's hash. */
const endOfHashes = 0xfffffffe;
/** Bytes of a name that one transformation takes in. */
const pieceBytes = 32;

type State = [a: number, b: number, c: number, d: number];

function mix(round: 0 | 1 | 2, x: number, y: number, z: number): number {
  if (round === 0) return z ^ (x & (y ^ z));
  if (round === 1) return (x & y) + ((x ^ y) & z);
  return x ^ y ^ z;
}

/** Hashes names with the seed of one file system. Not to be shared between two computations: it has a state. */
export class NameHasher {
  readonly #seed: readonly number[];
  readonly #words = new Int32Array(8);
  /** Of the last name: what orders it among names of the same hash. */
  minor = 0;

  /** `seed` is `s_hash_seed`, 16 bytes. */
  constructor(seed: Buffer) {
    const words = [0, 4, 8, 12].map((at) => seed.readUInt32LE(at));
    this.#seed = words.every((word) => word === 0) ? defaultState : words;
  }

  /** The hash by which a name is found: even, below 2^32. `ext4fs_dirhash`, bytes unsigned. */
  hash(name: ByteString): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#seed;
    const state: State = [a | 0, b | 0, c | 0, d | 0];
    for (let at = 0; at < name.length; at += pieceBytes) {
      this.#load(name, at);
      this.#transform(state);
    }
    this.minor = state[2] >>> 0;
    const hash = (state[1] & ~1) >>> 0;
    return hash === endOfHashes ? endOfHashes - 2 : hash;
  }

  /** `str2hashbuf_unsigned`: words of four bytes, the first in the high byte, what is missing is the rest's length. */
  #load(name: ByteString, start: number): void {
    const left = name.length - start;
    const pad = Math.imul(left & 0xff, 0x01010101);
    const taken = Math.min(left, pieceBytes);
    let value = pad;
    let word = 0;
    for (let i = 0; i < taken; i++) {
      value = (value << 8) + name.charCodeAt(start + i);
      if (i % 4 !== 3) continue;
      this.#words[word++] = value;
      value = pad;
    }
    if (word < 8) this.#words[word++] = value;
    this.#words.fill(pad, word);
  }

  #transform(state: State): void {
    let [a, b, c, d] = state;
    for (const round of [0, 1, 2] as const) {
      const shifts = roundShifts[round];
      const words = roundWords[round];
      for (let step = 0; step < 8; step++) {
        const word = this.#words[words[step] ?? 0] ?? 0;
        const sum = (a + mix(round, b, c, d) + word + roundConstants[round]) | 0;
        const shift = shifts[step % 4] ?? 0;
        // The four take turns: the one just written is the first operand of the next step.
        a = d;
        d = c;
        c = b;
        b = (sum << shift) | (sum >>> (32 - shift));
      }
    }
    state[0] = (state[0] + a) | 0;
    state[1] = (state[1] + b) | 0;
    state[2] = (state[2] + c) | 0;
    state[3] = (state[3] + d) | 0;
  }
}
