import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c, crc32cWord, crc32cZeros } from "../../src/ext4/crc32c.ts";

/** RFC 3720 and others invert the result; the kernel does not. */
const inverted = (crc: number): number => (crc ^ 0xffffffff) >>> 0;

test("the check value, and the vectors of RFC 3720, B.4", () => {
  assert.equal(inverted(crc32c(0xffffffff, Buffer.from("123456789"))), 0xe3069283);
  assert.equal(inverted(crc32c(0xffffffff, Buffer.alloc(32))), 0x8a9136aa);
  assert.equal(inverted(crc32c(0xffffffff, Buffer.alloc(32, 0xff))), 0x62a8ab43);
  assert.equal(
    inverted(crc32c(0xffffffff, Buffer.from(Array.from({ length: 32 }, (_, i) => i)))),
    0x46dd794e,
  );
});

test("continues where another piece ended, whatever the lengths", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
      const at = Math.min(cut, bytes.length);
      const inTwo = crc32c(crc32c(0xffffffff, bytes, 0, at), bytes, at);
      assert.equal(inTwo, crc32c(0xffffffff, bytes));
    }),
    { seed: 1 },
  );
});

test("zeros are as many zero bytes, up to a block's worth", () => {
  const zeros = Buffer.alloc(4095);
  for (const seed of [0, 1, 0xffffffff, 0x8a9136aa]) {
    for (let count = 0; count <= zeros.length; count += 1 + (count >>> 4)) {
      assert.equal(crc32cZeros(seed, count), crc32c(seed, zeros, 0, count), `${count} after ${seed}`);
    }
    assert.equal(crc32cZeros(seed, 4095), crc32c(seed, zeros));
  }
  assert.throws(() => crc32cZeros(0, 4096), RangeError);
});

test("a word is its four bytes, little-endian", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (word) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(word);
      assert.equal(crc32cWord(123, word), crc32c(123, bytes));
    }),
    { seed: 1 },
  );
});
