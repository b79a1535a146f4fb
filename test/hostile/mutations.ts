import { compress } from "../layers/layer-blob.ts";
import { sampleArchives } from "../layers/sample-archives.ts";
import { SeededRandom } from "../layers/seeded-random.ts";
import { sealed } from "../layers/tar-builder.ts";
import { archives, blob, hostileCase, type CaseMaker } from "./hostile-case.ts";

const seed = 20_261_123;

/** Values that have been bad for parsers, in the manner of AFL's dictionaries. */
const values = [
  "",
  "\0",
  "0",
  "7",
  "8",
  " ",
  "-1",
  "\x80",
  "\xff\xff\xff\xff",
  "77777777777",
  "../",
  "/",
  "=",
  "\n",
  ".wh.",
  "x",
  "g",
  "L",
  "1",
  "2",
  "5",
  "S",
];

/** Where headers have their fields, the type flag more often than its one byte deserves. */
const fields = [0, 100, 108, 116, 124, 136, 148, 156, 156, 156, 157, 257, 329, 337, 345, 386, 482, 483];

type Mutator = (bytes: Buffer, random: SeededRandom) => Buffer;

const mutators: readonly Mutator[] = [
  function flipBit(bytes, random) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  function setField(bytes, random) {
    bytes.write(random.pick(values), block(bytes, random) + random.pick(fields), "latin1");
    return bytes;
  },
  function fillField(bytes, random) {
    const at = block(bytes, random) + random.pick(fields);
    return bytes.fill(random.below(256), at, at + 12);
  },
  function dropBlock(bytes, random) {
    const at = block(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 512)]);
  },
  function doubleBlock(bytes, random) {
    const at = block(bytes, random);
    return Buffer.concat([bytes.subarray(0, at + 512), bytes.subarray(at)]);
  },
  function swapBlocks(bytes, random) {
    const one = block(bytes, random);
    const two = block(bytes, random);
    const held = Buffer.from(bytes.subarray(one, one + 512));
    bytes.copyWithin(one, two, two + 512);
    held.copy(bytes, two);
    return bytes;
  },
  function cut(bytes, random) {
    return bytes.subarray(0, 1 + random.below(bytes.length - 1));
  },
  function splice(bytes, random) {
    const other = random.pick(sampleArchives);
    return Buffer.concat([bytes.subarray(0, block(bytes, random)), other.subarray(block(other, random))]);
  },
];

function block(bytes: Buffer, random: SeededRandom): number {
  return random.below(Math.max(1, Math.floor(bytes.length / 512))) * 512;
}

/** Puts right the checksum of whatever looks like a header, so that a mutation gets past it. */
function mendChecksums(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const header = bytes.subarray(at, at + 512);
    if (/^[0-7]{6}\0/.test(header.toString("latin1", 148, 155))) sealed(header);
  }
}

function mutated(random: SeededRandom): Buffer {
  let bytes: Buffer = Buffer.from(random.pick(sampleArchives));
  for (let times = 1 + random.below(3); times > 0 && bytes.length > 1; times--) {
    bytes = random.pick(mutators)(bytes, random);
  }
  if (random.below(6) > 0) mendChecksums(bytes);
  return bytes;
}

/** So many, the same every time; each depends on its number alone, so that one can be had again without the others. */
export function mutationCases(count: number): readonly CaseMaker[] {
  return Array.from({ length: count }, (_, i) =>
    hostileCase(`mutation ${seed}+${i}`, "either", () => {
      const random = new SeededRandom(seed + i);
      const archive = mutated(random);
      const form = random.below(4);
      if (form > 1) return archives(archive);
      return blob(compress(archive, form === 0 ? "gzip" : "zstd"), archive);
    }),
  );
}
