import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readlinkSync } from "node:fs";
import { mkdir, open, readFile, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Arrival } from "../../src/base/arrival.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import type { EarlyScan } from "../../src/layers/early-scan.ts";
import type { ScannedBlob } from "../../src/layers/root-tree.ts";
import { LayerScanner, makeScanPool } from "../../src/layers/scan.ts";
import { writeBlob, writeLayer } from "./layer-blob.ts";
import { file, tar } from "./tar-builder.ts";

const mediaType = "application/octet-stream";
const signal = new AbortController().signal;
const earlyPool = makeScanPool(1);
const pool = makeScanPool(1);
/** Whoever scans with it fails: what succeeds all the same was scanned early. */
const closedPool = makeScanPool(1);
let folder: TempDir;
before(async () => {
  folder = await makeTempDir("banger-early-");
  await closedPool[Symbol.asyncDispose]();
});
after(async () => {
  await earlyPool[Symbol.asyncDispose]();
  await pool[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const archive = tar(file("noise", randomBytes(3_000_000)), file("zeros", Buffer.alloc(3_000_000)));

/** A blob whose bytes come as the test says, beside the whole one. */
class Incoming implements AsyncDisposable {
  readonly #arrival = new Arrival();
  readonly #over = new AbortController();
  readonly #handle: FileHandle;
  readonly #path: string;
  #written = 0;
  readonly indexes: string;
  readonly whole: ScannedBlob;
  readonly bytes: Buffer;

  private constructor(handle: FileHandle, path: string, indexes: string, whole: ScannedBlob, bytes: Buffer) {
    this.#handle = handle;
    this.#path = path;
    this.indexes = indexes;
    this.whole = whole;
    this.bytes = bytes;
  }

  static async make(whole: ScannedBlob): Promise<Incoming> {
    const at = join(folder.path, randomBytes(6).toString("hex"));
    await mkdir(at);
    const path = join(at, "incoming");
    const bytes = await readFile(whole.path);
    const handle = await open(path, "w+");
    // Nothing is right but what has arrived.
    await handle.write(randomBytes(bytes.length), 0, bytes.length, 0);
    return new Incoming(handle, path, join(at, "indexes"), whole, bytes);
  }

  /** The bytes up to there arrive. */
  async write(to: number): Promise<void> {
    await this.#handle.write(this.bytes, this.#written, to - this.#written, this.#written);
    this.#written = to;
    this.#arrival.advance(to);
  }

  giveUp(): void {
    this.#over.abort();
  }

  begin(scanner: LayerScanner): EarlyScan | undefined {
    const { memory: arrival } = this.#arrival;
    const arriving = { path: this.#path, bytes: this.bytes.length, arrival, signal: this.#over.signal };
    return scanner.scanArriving(this.whole, arriving, signal);
  }

  scanner(ordinary = closedPool): LayerScanner {
    return new LayerScanner({ pool: ordinary, earlyPool, indexFolder: this.indexes, limits: defaultLimits });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** How often this process has the file open. */
function openings(name: string): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith(name);
    } catch {
      return false;
    }
  }).length;
}

for (const compression of ["none", "gzip", "zstd"] as const) {
  test(`${compression}: a blob that comes bit by bit has the same index as the whole one`, async () => {
    const whole = await writeLayer(folder.path, archive, compression);
    await using incoming = await Incoming.make(whole);
    const scanner = incoming.scanner();
    await using early = incoming.begin(scanner);
    for (let at = 0; at < incoming.bytes.length; at += 700_001) {
      await incoming.write(at);
      await new Promise(setImmediate);
    }
    await incoming.write(incoming.bytes.length);
    const scanned = await scanner.scan(whole, { mediaType, signal, early });
    assert.ok(scanned.isEarly);
    const late = new LayerScanner({ pool, indexFolder: `${incoming.indexes}-late`, limits: defaultLimits });
    assert.deepEqual(scanned.index, (await late.scan(whole, { mediaType, signal })).index);
    assert.deepEqual(scanned.blob, whole);
    assert.equal((await scanner.scan(whole, { mediaType, signal })).cached, true);
    assert.equal(incoming.begin(scanner), undefined, "its index is here");
  });
}

test("a download that begins anew leaves its reader behind, and the whole blob is scanned", async () => {
  const whole = await writeLayer(folder.path, archive);
  await using incoming = await Incoming.make(whole);
  const scanner = incoming.scanner(pool);
  {
    await using early = incoming.begin(scanner);
    await incoming.write(1_500_000);
    incoming.giveUp();
    await incoming.write(incoming.bytes.length);
    const scanned = await scanner.scan(whole, { mediaType, signal, early });
    assert.equal(scanned.isEarly, false);
  }
  assert.equal((await readdir(join(incoming.indexes, "sha256"))).length, 1);
});

test("what is wrong with a layer is said by the scan of the whole blob, and nothing stays", async () => {
  const whole = await writeBlob(folder.path, randomBytes(100_000), archive);
  await using incoming = await Incoming.make(whole);
  const scanner = incoming.scanner(pool);
  {
    await using early = incoming.begin(scanner);
    await incoming.write(incoming.bytes.length);
    const work = scanner.scan(whole, { mediaType, signal, early });
    await assert.rejects(work, (error) => hasReason(error, "LAYER_INVALID"));
  }
  assert.deepEqual(await readdir(join(incoming.indexes, "sha256")), []);
});

test("what was scanned counts for nothing until the blob is scanned for good", async () => {
  const whole = await writeLayer(folder.path, archive);
  await using incoming = await Incoming.make(whole);
  const scanner = incoming.scanner(pool);
  {
    await using _early = incoming.begin(scanner);
    await incoming.write(incoming.bytes.length);
  }
  assert.deepEqual(await readdir(join(incoming.indexes, "sha256")), []);
  assert.equal((await scanner.scan(whole, { mediaType, signal })).cached, false);
});

test("where no thread is free, nobody waits for one: the whole blob is scanned", async () => {
  const whole = await writeLayer(folder.path, archive);
  await using slow = await Incoming.make(whole);
  await using incoming = await Incoming.make(whole);
  await using _holding = slow.begin(slow.scanner());
  await slow.write(100);
  while (openings("/incoming") < 3) await new Promise(setImmediate);
  const scanner = incoming.scanner(pool);
  await using early = incoming.begin(scanner);
  await incoming.write(incoming.bytes.length);
  assert.equal((await scanner.scan(whole, { mediaType, signal, early })).isEarly, false);
});

test("stopping it in the middle leaves no file, no descriptor and a thread that works", async () => {
  const whole = await writeLayer(folder.path, archive);
  await using incoming = await Incoming.make(whole);
  const scanner = incoming.scanner();
  {
    await using _early = incoming.begin(scanner);
    await incoming.write(1_000_000);
    while (openings("/incoming") < 2) await new Promise(setImmediate);
  }
  assert.equal(openings("/incoming"), 1);
  assert.deepEqual(await readdir(join(incoming.indexes, "sha256")), []);
  await using early = incoming.begin(scanner);
  await incoming.write(incoming.bytes.length);
  assert.ok((await scanner.scan(whole, { mediaType, signal, early })).isEarly);
});
