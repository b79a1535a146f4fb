import assert from "node:assert/strict";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import SQLite from "better-sqlite3";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { createStaging } from "../../src/images/publish.ts";
import { recover } from "../../src/images/recover.ts";
import { storeCheck } from "../../src/service/store-check.ts";
import { databasePath } from "../../src/store/layout.ts";
import { openStore } from "../../src/store/store.ts";
import { imageRecord, pullRecord } from "../store/records.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await makeTempDir("banger-store-check-");
});
afterEach(() => dir[Symbol.asyncDispose]());

/** One published image, and no daemon. */
async function stateWithImage(): Promise<void> {
  await using store = await openStore(databasePath(dir.path));
  await recover(store, dir.path);
  const record = imageRecord({ name: "" });
  await using staging = await createStaging(record.id, { stateDir: dir.path, readerGid: undefined });
  await writeFile(staging.rootfsPath, "rootfs");
  await staging.publish(record);
  await store.insertImage(record);
}

const names = async (): Promise<readonly string[]> => (await readdir(dir.path)).sort();

test("where no daemon ever was, and where one was, all is well, and nothing is left behind", async () => {
  assert.deepEqual(await storeCheck(dir.path), {
    name: "image store",
    ok: true,
    detail: "no image yet",
    remedy: "",
  });
  assert.equal((await storeCheck(join(dir.path, "none"))).ok, true);
  assert.deepEqual(await names(), []);
  await stateWithImage();
  const before = await names();
  assert.ok(!before.includes("banger.db-wal"));
  assert.equal((await storeCheck(dir.path)).detail, `${databasePath(dir.path)} knows 1 image`);
  assert.deepEqual(await names(), before);
});

test("what a killed daemon left in its log counts", async () => {
  await using store = await openStore(databasePath(dir.path));
  await recover(store, dir.path);
  const record = imageRecord({ name: "" });
  await using staging = await createStaging(record.id, { stateDir: dir.path, readerGid: undefined });
  await writeFile(staging.rootfsPath, "rootfs");
  await staging.publish(record);
  assert.equal((await storeCheck(dir.path)).ok, false);
  await store.insertPull(pullRecord());
  assert.equal((await storeCheck(dir.path)).ok, true, "a pull may have been cut off before its row");
  await store.insertImage(record);
  assert.ok((await names()).includes("banger.db-wal"));
  assert.match((await storeCheck(dir.path)).detail, /knows 1 image$/);
});

test("a database that is none, is lost, or is of a later version", async () => {
  await stateWithImage();
  const path = databasePath(dir.path);
  const raw = new SQLite(path);
  raw.exec("INSERT INTO kysely_migration VALUES ('9999-later', '2030-01-01')");
  raw.close();
  assert.match((await storeCheck(dir.path)).detail, /another version of bangerd$/);
  await writeFile(path, "not a database ".repeat(1000));
  const damaged = await storeCheck(dir.path);
  assert.equal(damaged.ok, false);
  assert.match(damaged.detail, /SQLITE_NOTADB/);
  assert.match(damaged.remedy, /^Restore .*banger\.db from a backup/);
  await writeFile(path, "");
  const empty = await storeCheck(dir.path);
  await rm(path);
  const lost = await storeCheck(dir.path);
  assert.match(lost.detail, /has 1 published image, and .*banger\.db knows none of them$/);
  assert.deepEqual(empty, lost);
});

test("images that are on a disk which is not mounted", async () => {
  await stateWithImage();
  const images = join(dir.path, "images");
  await rename(images, join(dir.path, "elsewhere"));
  for (const make of [() => Promise.resolve(undefined), () => mkdir(images)]) {
    await make();
    const unmounted = await storeCheck(dir.path);
    assert.equal(unmounted.ok, false);
    assert.match(unmounted.remedy, /^Mount the disk/);
  }
  assert.deepEqual(await readdir(images), [], "it is left as it is");
});
