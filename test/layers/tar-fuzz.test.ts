import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../../src/base/digest.ts";
import { BangerError } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { BlobFile } from "../../src/layers/blob-file.ts";
import { scanLayer } from "../../src/layers/scan-layer.ts";
import { compress } from "./layer-blob.ts";
import { readTar, someLayer } from "./read-tar.ts";
import { sampleArchives } from "./sample-archives.ts";
import { SeededRandom } from "./seeded-random.ts";
import { sealed } from "./tar-builder.ts";

test("pieces of any size give the same entries and contents as the whole", () => {
  const sizes = fc.infiniteStream(
    fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5000 })),
  );
  fc.assert(
    fc.property(fc.constantFrom(...sampleArchives), sizes, (archive, stream) => {
      const nextSize = (): number => stream.next().value ?? 1;
      assert.deepEqual(readTar(archive, {}, nextSize), readTar(archive));
    }),
    { seed: 11, numRuns: 60 },
  );
});

test("one byte at a time gives the same as the whole", () => {
  for (const archive of sampleArchives)
    assert.deepEqual(
      readTar(archive, {}, () => 1),
      readTar(archive),
    );
});

test("cut anywhere: refused, except between entries and in padding", () => {
  for (const archive of sampleArchives) {
    const { entries } = readTar(archive);
    for (let at = 1; at < archive.length - 1024; at += 37) {
      if (at % 512 === 0) continue;
      // In padding, it says what it would say with all of it.
      const whole = archive.subarray(0, at + 512 - (at % 512));
      const rule = ruleOf(
        () => assert.deepEqual(readTar(archive.subarray(0, at)), readTar(whole)),
        `cut at ${at}`,
      );
      assert.ok(rule === undefined || rule === "truncated");
    }
    for (let at = 512; at < archive.length - 1024; at += 512) {
      const cut = archive.subarray(0, at);
      const rule = ruleOf(() => assert.ok(readTar(cut).entries.length < entries.length), `cut at ${at}`);
      assert.ok(rule === undefined || rule === "truncated");
    }
  }
});

/** Changes a few bytes, blocks or numbers; and mends the checksums of most headers, so that more than they are tested. */
function mutated(archive: Buffer, random: SeededRandom): Buffer {
  let bytes: Buffer = Buffer.from(archive);
  for (let i = random.below(4); i >= 0; i--) bytes = mutatedOnce(bytes, random);
  if (random.below(5) > 0) mendChecksums(bytes);
  return bytes;
}

const interesting = [
  "\0",
  "0",
  "1",
  "5",
  "7",
  "8",
  "L",
  "K",
  "x",
  "g",
  "S",
  "\x80",
  "\xff",
  " ",
  "\n",
  "=",
  ",",
  "-",
  "/",
];

function mutatedOnce(bytes: Buffer, random: SeededRandom): Buffer {
  const blocks = Math.floor(bytes.length / 512);
  if (blocks === 0) return bytes;
  const block = random.below(blocks) * 512;
  switch (random.below(7)) {
    case 0:
      bytes.write(random.pick(interesting), random.below(bytes.length), "latin1");
      return bytes;
    case 1:
      // Where a header has its fields, or PAX its records.
      bytes.write(random.pick(interesting), block + random.below(160), "latin1");
      return bytes;
    case 2:
      bytes[block + 156] = random.pick(interesting).charCodeAt(0);
      return bytes;
    case 3:
      return Buffer.concat([bytes.subarray(0, block), bytes.subarray(block + 512 * (1 + random.below(3)))]);
    case 4:
      return Buffer.concat([bytes.subarray(0, block + 512), bytes.subarray(random.below(blocks) * 512)]);
    case 5:
      // A negative uid or gid, in base-256.
      bytes.write("\xff\xff\xff", block + random.pick([108, 116]), "latin1");
      return bytes;
    default:
      for (let i = 0; i < 12; i++) bytes[block + 124 + i] = random.pick([0x30, 0x31, 0x37, 0x80, 0xff, 0]);
      return bytes;
  }
}

/** Wherever a block looks like a header. */
function mendChecksums(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (
      /^[0-7]{6}/.test(block.toString("latin1", 148, 155)) &&
      /^[0-7]{5}/.test(block.toString("latin1", 100, 107))
    )
      sealed(block);
  }
}

const rounds = Number(process.env["BANGER_FUZZ_ROUNDS"] ?? 6000);

test("mutated archives are read or refused by a rule, and nothing else", () => {
  const random = new SeededRandom(20_240_917);
  const rules = new Map<string, number>();
  let accepted = 0;
  for (let i = 0; i < rounds; i++) {
    const archive = mutated(random.pick(sampleArchives), random);
    const rule = ruleOf(() => readTar(archive, {}, () => 1 + random.below(2000)), `round ${i}`);
    if (rule === undefined) accepted++;
    else rules.set(rule, (rules.get(rule) ?? 0) + 1);
  }
  assert.ok(accepted > rounds / 20, `${accepted} accepted`);
  // It gets past the checksum and deep into the rules.
  for (const rule of [
    "header-checksum",
    "truncated",
    "pax-record",
    "sparse-map",
    "type-flag",
    "number-field",
    "owner-range",
  ])
    assert.ok(rules.has(rule), `${rule} was never reached: ${JSON.stringify([...rules])}`);
});

function ruleOf(read: () => unknown, what: string): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof BangerError, `${what}: ${String(error)}`);
    assert.match(error.reason, /^(?:LAYER_INVALID|LAYER_UNSAFE|LIMIT_[A-Z_]+)$/, what);
    assert.equal(error.facts["layer"], someLayer, what);
    assert.match(error.facts["entry"] ?? "", /^[1-9][0-9]*$/, what);
    const rule = error.facts["rule"] ?? "";
    assert.match(rule, /^[a-z0-9-]+$/, what);
    return rule;
  }
}

test("mutated blobs are read or refused, and nothing else", async () => {
  const random = new SeededRandom(4);
  await using folder = await makeTempDir("banger-fuzz-");
  const path = join(folder.path, "blob");
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const archive = random.pick(sampleArchives);
    const blob = Buffer.from(compress(archive, random.pick(["gzip", "zstd", "none"] as const)));
    for (let n = random.below(3); n >= 0; n--) blob[random.below(blob.length)] = random.below(256);
    await writeFile(path, random.below(4) === 0 ? blob.subarray(0, random.below(blob.length)) : blob);
    const layer = { digest: someLayer, diffId: digestOf(archive), path };
    const sink = { entry: () => {}, loss: () => {} };
    try {
      using file = BlobFile.open(path);
      await scanLayer(layer, file, defaultLimits, sink, () => {});
    } catch (error) {
      refused++;
      assert.ok(error instanceof BangerError, String(error));
      assert.match(error.reason, /^(?:LAYER_INVALID|LAYER_UNSAFE|DIFFID_MISMATCH|LIMIT_[A-Z_]+)$/);
      assert.equal(error.facts["layer"], someLayer);
      assert.ok((error.facts["rule"] ?? "") !== "");
    }
  }
  assert.ok(refused > 200, `${refused} refused`);
});
