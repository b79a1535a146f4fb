import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { openStore, type LeaseRequest, type Store } from "../../src/store/store.ts";
import { imageRecord } from "./records.ts";

let dir: TempDir;
let path: string;
let store: Store;
let now = 1_700_000_000_000;
let count = 0;
before(async () => {
  dir = await makeTempDir("banger-leases-");
});
beforeEach(async () => {
  await store?.[Symbol.asyncDispose]();
  path = join(dir.path, `${count++}.db`);
  now = 1_700_000_000_000;
  store = await openStore(path, { now: () => now });
});
after(async () => {
  await store[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

async function leasedImage(): Promise<{ imageId: string; ask: LeaseRequest }> {
  const image = imageRecord();
  await store.insertImage(image);
  return { imageId: image.id, ask: { imageId: image.id, holder: "vmm-1", ttlMs: 1000, renew: undefined } };
}

describe("leases", () => {
  test("one holds an image until it ends, with no timer, and also after a restart", async () => {
    const { imageId, ask } = await leasedImage();
    const lease = await store.acquireLease(ask);
    assert.deepEqual(lease, { id: lease.id, imageId, holder: "vmm-1", expiresAt: now + 1000 });
    await store[Symbol.asyncDispose]();
    store = await openStore(path, { now: () => now });
    assert.deepEqual(await store.leasesOf(imageId), [lease]);
    await assert.rejects(store.condemnImage(imageId), (error) => hasReason(error, "IMAGE_IN_USE"));
    now += 999;
    await assert.rejects(store.condemnImage(imageId), (error) => hasReason(error, "IMAGE_IN_USE"));
    now += 1;
    assert.deepEqual(await store.leasesOf(imageId), []);
    (await store.condemnImage(imageId))[Symbol.dispose]();
    await assert.rejects(store.releaseLease(lease.id), (error) => hasReason(error, "LEASE_UNKNOWN"));
  });

  test("is renewed by its id, and not once it has ended or on another image", async () => {
    const { imageId, ask } = await leasedImage();
    const other = imageRecord({ name: "other" });
    await store.insertImage(other);
    const { id } = await store.acquireLease(ask);
    now += 900;
    const renewed = await store.acquireLease({ ...ask, renew: id, holder: "vmm-1b" });
    assert.deepEqual(renewed, { id, imageId, holder: "vmm-1b", expiresAt: now + 1000 });
    assert.deepEqual(await store.leasesOf(imageId), [renewed]);
    const unknown = [
      { ...ask, renew: "l0" },
      { ...ask, renew: id, imageId: other.id },
    ];
    for (const request of unknown) {
      await assert.rejects(store.acquireLease(request), (error) => hasReason(error, "LEASE_UNKNOWN"));
    }
    now += 1000;
    await assert.rejects(store.acquireLease({ ...ask, renew: id }), (error) =>
      hasReason(error, "LEASE_UNKNOWN"),
    );
  });

  test("several hold an image; the last to let go frees it", async () => {
    const { imageId, ask } = await leasedImage();
    const first = await store.acquireLease(ask);
    const second = await store.acquireLease({ ...ask, holder: "vmm-2", ttlMs: 5000 });
    await assert.rejects(
      store.condemnImage(imageId),
      (error) => hasReason(error, "IMAGE_IN_USE") && /vmm-2 and 1 more/.test(error.message),
    );
    await store.releaseLease(second.id);
    await assert.rejects(store.condemnImage(imageId), (error) => hasReason(error, "IMAGE_IN_USE"));
    await store.releaseLease(first.id);
    await assert.rejects(store.releaseLease(first.id), (error) => hasReason(error, "LEASE_UNKNOWN"));
    using _condemned = await store.condemnImage(imageId);
    await assert.rejects(store.acquireLease(ask), (error) => hasReason(error, "IMAGE_UNKNOWN"));
  });

  test("whoever takes one while the image is being deleted either holds it or hears that it is gone", async () => {
    for (let round = 0; round < 20; round++) {
      const image = imageRecord({ name: `race-${round}` });
      await store.insertImage(image);
      const ask = { imageId: image.id, holder: "racer", ttlMs: 1000, renew: undefined };
      const remove = async (): Promise<void> => {
        using _condemned = await store.condemnImage(image.id);
        await store.deleteImage(image.id);
      };
      const attempts =
        round % 2 === 0 ? [remove(), store.acquireLease(ask)] : [store.acquireLease(ask), remove()];
      const outcomes = await Promise.allSettled<unknown>(attempts);
      assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1, `round ${round}`);
    }
  });

  test("an image that is no more can't be held, and takes its leases along", async () => {
    const { imageId, ask } = await leasedImage();
    await store.acquireLease(ask);
    await store.deleteImage(imageId);
    assert.deepEqual(await store.leasesOf(imageId), []);
    await assert.rejects(store.acquireLease(ask), (error) => hasReason(error, "IMAGE_UNKNOWN"));
  });

  test("an image has a bounded number of them", async () => {
    const { ask } = await leasedImage();
    for (let held = 0; held < 1000; held++) await store.acquireLease(ask);
    await assert.rejects(store.acquireLease(ask), (error) => hasReason(error, "TOO_MANY_LEASES"));
    now += 1000;
    await store.acquireLease(ask);
  });
});
