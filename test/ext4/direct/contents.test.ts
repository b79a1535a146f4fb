import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BangerError, type Reason } from "../../../src/base/error.ts";
import { makeTempDir } from "../../../src/base/files.ts";
import { defaultLimits } from "../../../src/base/limits.ts";
import { contentPool, writeContents } from "../../../src/ext4/direct/contents.ts";
import type { ScannedBlob } from "../../../src/layers/root-tree.ts";
import { writeBlob, writeLayer } from "../../layers/layer-blob.ts";
import { noise } from "../sample-tree.ts";
import { buildTree, dir, file, type Described } from "../tree-builder.ts";
import { layTree } from "../tree-layers.ts";
import { emptyImage, packed, placeFiles, type SyntheticPlan } from "./content-rig.ts";

const forever = new AbortController().signal;

interface Work {
  readonly folder: string;
  readonly layers: readonly ScannedBlob[];
  readonly plan: Pick<SyntheticPlan, "runsByLayer" | "sizeBytes">;
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

let images = 0;

async function write({ folder, layers, plan, ...rest }: Work, threads = 2): Promise<Buffer> {
  const target = emptyImage(join(folder, `image-${images++}`), plan.sizeBytes);
  const { signal = forever, onBytes = () => {} } = rest;
  await using pool = contentPool(threads);
  await writeContents(plan.runsByLayer, { target, layers, limits: defaultLimits, pool, signal, onBytes });
  return readFileSync(target);
}

async function refused(work: Work, reason: Reason): Promise<BangerError> {
  try {
    await write(work);
  } catch (error) {
    assert.ok(error instanceof BangerError, String(error));
    assert.equal(error.reason, reason, error.message);
    return error;
  }
  return assert.fail("it was not refused");
}

function files(): Described {
  const children: Record<string, Described> = {};
  for (let i = 0; i < 300; i++) children[`f${i}`] = file(noise((i * 7919) % 50_000, `f${i}`));
  children["large"] = file(noise(5_000_000));
  return dir(children);
}

test("layers of each compression, with any number of threads, give the same bytes", async () => {
  await using folder = await makeTempDir("banger-test-");
  const built = buildTree(files());
  const layers = await layTree(built, folder.path, 5);
  const plan = placeFiles(built.stored, layers.length);
  let bytes = 0;
  for (const threads of [1, 2, 4, 7]) {
    const image = await write(
      { folder: folder.path, layers, plan, onBytes: (done) => (bytes = done) },
      threads,
    );
    assert.ok(image.equals(plan.expected), `${threads} threads`);
    assert.equal(bytes, built.tree.contentBytes);
  }
});

test("a layer with nothing alive is not opened", async () => {
  await using folder = await makeTempDir("banger-test-");
  const layer = await writeLayer(folder.path, noise(10_000));
  const gone: ScannedBlob = { ...layer, path: join(folder.path, "is not there") };
  const plan = { runsByLayer: [packed(), packed([0, 4096, 10_000])], sizeBytes: 20_480 };
  const image = await write({ folder: folder.path, layers: [gone, layer], plan });
  assert.ok(image.subarray(4096, 14_096).equals(noise(10_000)));
});

test("what comes after the last live byte is not inflated, and yet known to be as it was", async () => {
  await using folder = await makeTempDir("banger-test-");
  const live = noise(3_000_000);
  const archive = Buffer.concat([live, noise(9_000_000, "hidden")]);
  const layer = await writeLayer(folder.path, archive);
  // Cut in the hidden part: gzip's own checksum is gone, and nobody looks for it.
  const bytes = readFileSync(layer.path);
  const cut = await writeBlob(folder.path, bytes.subarray(0, bytes.length - 100_000), archive);
  const plan = { runsByLayer: [packed([0, 0, live.length])], sizeBytes: 4_000_000 };
  const work = { folder: folder.path, plan };
  assert.ok((await write({ ...work, layers: [cut] })).subarray(0, live.length).equals(live));
  const error = await refused({ ...work, layers: [{ ...cut, crc32: layer.crc32 }] }, "DIFFID_MISMATCH");
  assert.match(error.message, /layer [0-9a-f]{12} is not what was scanned/);
});

const decays: readonly [what: string, decay: (path: string) => void, reason: Reason][] = [
  ["cut off", (path) => truncateSync(path, 50_000), "LAYER_INVALID"],
  ["flipped", (path) => flip(path, 60_000), "LAYER_INVALID"],
  ["flipped in gzip's head, where it has no effect", (path) => flip(path, 4), "DIFFID_MISMATCH"],
  ["longer", (path) => writeFileSync(path, Buffer.alloc(512), { flag: "a" }), "DIFFID_MISMATCH"],
];

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  writeFileSync(path, bytes);
}

for (const [what, decay, reason] of decays) {
  test(`a blob that is ${what} since it was scanned is found out`, async () => {
    await using folder = await makeTempDir("banger-test-");
    const layer = await writeLayer(folder.path, noise(200_000));
    decay(layer.path);
    const plan = { runsByLayer: [packed([0, 0, 200_000])], sizeBytes: 204_800 };
    await refused({ folder: folder.path, layers: [layer], plan }, reason);
  });
}

test("a plain archive has no checksum, and its decay is found out all the same", async () => {
  await using folder = await makeTempDir("banger-test-");
  const layer = await writeLayer(folder.path, noise(200_000), "none");
  flip(layer.path, 100_000);
  const plan = { runsByLayer: [packed([0, 0, 1000])], sizeBytes: 4096 };
  await refused({ folder: folder.path, layers: [layer], plan }, "DIFFID_MISMATCH");
});

test("a layer that isn't there is a defect", async () => {
  await using folder = await makeTempDir("banger-test-");
  const plan = { runsByLayer: [packed(), packed([0, 0, 1])], sizeBytes: 4096 };
  await refused({ folder: folder.path, layers: [], plan }, "INTERNAL");
});

test("cancelling stops the threads", async () => {
  await using folder = await makeTempDir("banger-test-");
  const stop = new AbortController();
  const bytes = noise(1_000_000);
  const layer = await writeLayer(folder.path, Buffer.concat(Array.from({ length: 60 }, () => bytes)), "none");
  const plan = { runsByLayer: [packed([0, 0, 60_000_000])], sizeBytes: 60_002_304 };
  const onBytes = (): void => stop.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
  await refused({ folder: folder.path, layers: [layer], plan, signal: stop.signal, onBytes }, "CANCELLED");
});

test("a full disk is DISK_FULL, and names the file", async () => {
  await using folder = await makeTempDir("banger-test-");
  const namespaces = process.getuid?.() === 0 ? ["-m"] : ["-rm"];
  const script = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" "$3" "$1"';
  const child = join(import.meta.dirname, "fill-disk.ts");
  const args = ["sh", "-c", script, "sh", folder.path, process.execPath, child];
  const output = execFileSync("unshare", [...namespaces, ...args], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(output), { reason: "DISK_FULL", namesTheFile: true });
});
