import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import SQLite from "better-sqlite3";
import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { migrations } from "../../src/store/migrations/index.ts";
import { openDatabase } from "../../src/store/open.ts";
import type { Schema } from "../../src/store/schema.ts";
import { openStore } from "../../src/store/store.ts";
import { digestFor } from "./records.ts";

let dir: TempDir;
before(async () => {
  dir = await makeTempDir("banger-upgrade-");
});
after(() => dir[Symbol.asyncDispose]());

type Migrations = Readonly<Record<string, Migration>>;
const names = Object.keys(migrations).sort();

function firstOnes(count: number): Migrations {
  const chosen = new Set(names.slice(0, count));
  return Object.fromEntries(Object.entries(migrations).filter(([name]) => chosen.has(name)));
}

/** Of the columns that the first schema has: what every later one must have kept. */
const imageId = "abcdef012345678901234567";
const seed = `
  INSERT INTO images (id, name, repository, reference, manifest_digest, index_digest, config_digest, platform_json,
    created_at, options_key, builder, rootfs_size_bytes, rootfs_allocated_bytes, rootfs_digest, filesystem_uuid,
    inode_count, content_bytes, config_json, losses_json, stage_times_json)
  VALUES ('${imageId}', 'app', 'r.example/app', 'r.example/app:1', '${digestFor("m")}', NULL, '${digestFor("c")}',
    '{"os":"linux","architecture":"amd64"}', 1700000000000, 'v2', 'e2fsprogs', 4096, 4096, NULL, 'u', 7, 9,
    '{"entrypoint":[],"cmd":[],"env":[],"workingDir":"","user":"","labels":{},"exposedPorts":[],"stopSignal":""}',
    '[]', '[]');
  INSERT INTO image_layers VALUES ('${imageId}', 0, '${digestFor("l")}', '${digestFor("d")}', 'tar', 1, 2, 3);
  INSERT INTO pulls (id, reference, name, state, started_at, ended_at, manifest_digest, image_id, stage_times_json,
    failure_reason, failure_message, detached)
  VALUES ('p1', 'r.example/app:1', 'app', 'published', 1, 9000000000000, NULL, '${imageId}', '[]', '', '', 0),
    ('p2', 'r.example/app:2', 'app', 'running', 2, NULL, NULL, NULL, '[]', '', '', 1);`;

async function makeOld(path: string, applied: Migrations): Promise<void> {
  await (await openDatabase(path, applied)).destroy();
  const raw = new SQLite(path);
  raw.exec(seed);
  raw.close();
}

function dump(path: string): unknown {
  const raw = new SQLite(path, { readonly: true });
  const tables = raw
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name",
    )
    .all();
  const rows = tables.map(({ name, sql: text }) => [name, text, raw.prepare(`SELECT * FROM ${name}`).all()]);
  raw.close();
  return rows;
}

async function checkUpgraded(path: string): Promise<void> {
  await using store = await openStore(path);
  const image = await store.findImage("app");
  assert.equal(image.id, imageId);
  assert.equal(image.layers[0]?.digest, digestFor("l"));
  assert.equal((await store.findPull("p1")).state, "published");
  // Its request was not kept in those days.
  assert.deepEqual(await store.endInterruptedPulls(), { ended: ["p2"], resumable: [] });
  const lease = { imageId, holder: "h", ttlMs: 1000, renew: undefined };
  assert.ok((await store.acquireLease(lease)).id);
}

describe("upgrades", () => {
  for (let count = 1; count <= names.length; count++) {
    const from = names[count - 1];
    test(`from ${from}, with its data`, async () => {
      const path = join(dir.path, `from-${count}.db`);
      await makeOld(path, firstOnes(count));
      await checkUpgraded(path);
    });

    test(`from ${from}, failing at the end: all is as it was, and the old program goes on`, async () => {
      const path = join(dir.path, `failing-${count}.db`);
      await makeOld(path, firstOnes(count));
      const before = dump(path);
      const broken = {
        up: async (db: Kysely<Schema>) => {
          await sql`CREATE TABLE half_done (id TEXT) STRICT`.execute(db);
          await sql`UPDATE images SET repository = 'gone'`.execute(db);
          await sql`THIS IS NOT SQL`.execute(db);
        },
      };
      await assert.rejects(openDatabase(path, { ...migrations, "9999-broken": broken }), (error) =>
        hasReason(error, "STORE_FAILED"),
      );
      assert.deepEqual(dump(path), before);
      await (await openDatabase(path, firstOnes(count))).destroy();
      await checkUpgraded(path);
    });

    test(`from ${from}, cut off half way: the old rows and schema are what the next start finds`, async () => {
      const path = join(dir.path, `cut-${count}.db`);
      await makeOld(path, firstOnes(count));
      const before = dump(path);
      // What a disk holds when the power goes before the commit: the database and its log as they are just then.
      const copy = join(dir.path, `cut-${count}-copy.db`);
      const interrupted = {
        up: async (db: Kysely<Schema>) => {
          await sql`CREATE TABLE half_done (id TEXT) STRICT`.execute(db);
          await sql`UPDATE images SET repository = 'gone'`.execute(db);
          await copyFile(path, copy);
          await copyFile(`${path}-wal`, `${copy}-wal`);
        },
      };
      await (await openDatabase(path, { ...migrations, "9999-interrupted": interrupted })).destroy();
      assert.notDeepEqual(dump(path), before);
      assert.deepEqual(dump(copy), before);
      await checkUpgraded(copy);
    });
  }

  test("two that were released in either order both get applied", async () => {
    const all = Object.entries(migrations);
    for (const left of names.slice(2)) {
      const path = join(dir.path, `without-${left}.db`);
      await makeOld(path, Object.fromEntries(all.filter(([name]) => name !== left)));
      await checkUpgraded(path);
    }
  });
});
