import assert from "node:assert/strict";
import test from "node:test";
import { join } from "node:path";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import type { KernelRecord } from "../../src/kernel/kernel-record.ts";
import { openStore } from "../../src/store/store.ts";
import { digestFor, imageRecord } from "./records.ts";

function kernelRecord(changes: Partial<KernelRecord> = {}): KernelRecord {
  return {
    id: "k1",
    name: "cloud",
    version: "6.1.0-42-cloud-amd64",
    architecture: "amd64",
    format: "vmlinux",
    pvh: false,
    digest: digestFor("kernel"),
    contentDigest: digestFor("all of it"),
    hasInitrd: true,
    modules: { release: "6.1.0-42-cloud-amd64", indexed: true },
    builtins: ["ext4", "virtio_blk"],
    sizeBytes: 12_345_678,
    createdAt: 1_700_000_000_000,
    source: "deb:/tmp/linux.deb",
    warnings: ["a warning"],
    ...changes,
  };
}

test("kernels come back as they went in, by name and in pages", async () => {
  await using folder = await makeTempDir("banger-kernels-");
  await using store = await openStore(join(folder.path, "banger.db"));
  const bare = kernelRecord({ id: "k2", name: "bare", modules: undefined, builtins: undefined });
  await store.insertKernel(kernelRecord());
  await store.insertKernel(bare);
  assert.deepEqual(await store.findKernel("cloud"), { kernel: kernelRecord(), imageCount: 0 });
  assert.deepEqual(await store.findKernel("bare"), { kernel: bare, imageCount: 0 });
  assert.equal(await store.findKernel("none"), undefined);
  const first = await store.listKernels({ pageSize: 1 });
  assert.deepEqual(
    first.kernels.map(({ kernel }) => kernel.name),
    ["bare"],
  );
  const second = await store.listKernels({ pageSize: 1, pageToken: first.nextPageToken });
  assert.deepEqual(
    second.kernels.map(({ kernel }) => kernel.name),
    ["cloud"],
  );
  assert.equal(second.nextPageToken, "");
  await assert.rejects(store.insertKernel(kernelRecord({ id: "k3" })), (error) =>
    hasReason(error, "NAME_TAKEN"),
  );
});

test("a kernel goes only when no image uses it, or by force, and the images stay", async () => {
  await using folder = await makeTempDir("banger-kernels-");
  await using store = await openStore(join(folder.path, "banger.db"));
  await store.insertKernel(kernelRecord());
  const image = imageRecord({ kernelId: "k1" });
  await store.insertImage(image);
  assert.equal((await store.findKernel("cloud"))?.imageCount, 1);
  await assert.rejects(store.deleteKernel("k1", false), (error) => {
    assert.ok(hasReason(error, "KERNEL_IN_USE"));
    assert.match(error.message, /app-latest/);
    return true;
  });
  await store.deleteKernel("k1", true);
  assert.deepEqual(await store.findImage(image.id), { ...image, kernelId: undefined });
  await assert.rejects(store.deleteKernel("k1", true), (error) => hasReason(error, "KERNEL_UNKNOWN"));
});

test("an image whose kernel went while it was made is published without it", async () => {
  await using folder = await makeTempDir("banger-kernels-");
  await using store = await openStore(join(folder.path, "banger.db"));
  const image = imageRecord({ kernelId: "gone" });
  await store.insertImage(image);
  assert.equal((await store.findImage(image.id)).kernelId, undefined);
});
