import assert from "node:assert/strict";
import { open, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { dataRuns, openExport } from "../../src/images/export.ts";
import { descriptorsOf, failingStat } from "../base/faulty-handles.ts";

let dir: TempDir;
before(async () => {
  dir = await makeTempDir("banger-export-");
});
after(() => dir[Symbol.asyncDispose]());

const never = new AbortController().signal;
const KiB = 1024;

/** Data at odd places, blocks of zeros that are allocated, holes, and a last block that is cut short. */
async function sampleFile(name: string, sizeBytes: number): Promise<string> {
  const path = join(dir.path, name);
  const file = await open(path, "wx");
  for (const at of [0, 5000, 4096 * 300 - 1, 3 * 1024 * KiB + 17]) {
    if (at < sizeBytes) await file.write(Buffer.from("data"), 0, 4, at);
  }
  await file.write(Buffer.alloc(64 * KiB), 0, 64 * KiB, 2 * 1024 * KiB);
  await file.write(Buffer.alloc(700 * KiB, 7), 0, 700 * KiB, 4 * 1024 * KiB + 8192);
  await file.truncate(sizeBytes);
  await file.close();
  return path;
}

async function assembled(path: string): Promise<{ content: Buffer; pieces: number; bytes: number }> {
  await using exported = await openExport(path, "raw", never);
  const content = Buffer.alloc(exported.sizeBytes);
  let pieces = 0;
  let bytes = 0;
  for await (const piece of exported.pieces) {
    assert.ok(piece.bytes.length > 0 && piece.bytes.length <= 256 * KiB);
    content.set(piece.bytes, piece.offset);
    pieces++;
    bytes += piece.bytes.length;
  }
  return { content, pieces, bytes };
}

describe("raw", () => {
  const sizes = [0, 1, 4095, 4096, 4097, 1024 * KiB - 1, 1024 * KiB, 5 * 1024 * KiB + 123];
  for (const [at, size] of sizes.entries()) {
    test(`${size} bytes come out as they are, with zeros left out`, async () => {
      const path = await sampleFile(`raw-${at}`, size);
      const { content, bytes } = await assembled(path);
      assert.ok(content.equals(await readFile(path)));
      assert.ok(bytes <= 720 * KiB, `${bytes} bytes of some 700 KiB that are no zeros`);
    });
  }

  test("an empty gigabyte takes no piece at all", async () => {
    const path = join(dir.path, "hole");
    await writeFile(path, "");
    await truncate(path, 1024 ** 3);
    await using exported = await openExport(path, "raw", never);
    assert.equal(exported.sizeBytes, 1024 ** 3);
    for await (const piece of exported.pieces) assert.fail(`a piece at ${piece.offset}`);
  });

  test("a cancel and a file that shrinks are errors, not an end", async () => {
    const path = await sampleFile("cut", 6 * 1024 * KiB);
    const controller = new AbortController();
    await using cancelled = await openExport(path, "raw", controller.signal);
    const drain = async (pieces: AsyncIterable<unknown>, then: () => Promise<void>): Promise<void> => {
      for await (const _piece of pieces) await then();
    };
    const cancel = async (): Promise<void> =>
      controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
    await assert.rejects(drain(cancelled.pieces, cancel), (error) => hasReason(error, "CANCELLED"));
    await using shrinking = await openExport(path, "raw", never);
    await assert.rejects(
      drain(shrinking.pieces, () => truncate(path, 8192)),
      (error) => hasReason(error, "FILESYSTEM_CORRUPT"),
    );
  });
});

describe("zstd", () => {
  test("one frame that holds the size and the content", async () => {
    const path = await sampleFile("zstd", 6 * 1024 * KiB + 5);
    await using exported = await openExport(path, "zstd", never);
    const parts: Uint8Array[] = [];
    let reached = 0;
    for await (const { offset, bytes } of exported.pieces) {
      assert.equal(offset, reached);
      reached += bytes.length;
      parts.push(bytes);
    }
    const frame = Buffer.concat(parts);
    const whole = await readFile(path);
    assert.ok(zstdDecompressSync(frame).equals(whole));
    // RFC 8878, 3.1.1.1: after the magic number, the descriptor's bit 2 is the checksum; its top two bits and bit 5
    // say how many bytes the content size has: 4 here, at once after the descriptor where the frame is one segment.
    const descriptor = frame.readUInt8(4);
    assert.equal(descriptor & 0b100, 0b100, "a checksum");
    const at = (descriptor & 0b10_0000) === 0 ? 6 : 5;
    assert.equal(descriptor >> 6, 2);
    assert.equal(frame.readUInt32LE(at), whole.length);
  });

  test("a cancel ends it", async () => {
    const path = await sampleFile("zstd-cut", 6 * 1024 * KiB);
    const controller = new AbortController();
    await using exported = await openExport(path, "zstd", controller.signal);
    controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
    await assert.rejects(
      async () => {
        for await (const _piece of exported.pieces);
      },
      (error) => hasReason(error, "CANCELLED"),
    );
  });
});

test("a file that can't be asked for its size is closed again", async () => {
  const path = await sampleFile("odd", 4096);
  using _disk = await failingStat();
  await assert.rejects(openExport(path, "raw", never), { message: /EIO/ });
  assert.equal(descriptorsOf(path), 0);
});

test("runs of data begin and end with blocks, and none is longer than a piece", () => {
  const bytes = Buffer.alloc(1024 * KiB);
  bytes.fill(1, 4096, 8192);
  bytes.fill(1, 100 * KiB, 800 * KiB);
  bytes[1024 * KiB - 1] = 1;
  assert.deepEqual(
    [...dataRuns(bytes)],
    [
      { begin: 4096, end: 8192 },
      { begin: 100 * KiB, end: 356 * KiB },
      { begin: 356 * KiB, end: 612 * KiB },
      { begin: 612 * KiB, end: 800 * KiB },
      { begin: 1020 * KiB, end: 1024 * KiB },
    ],
  );
});
