import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import SQLite from "better-sqlite3";
import { sql, type Kysely } from "kysely";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { allImageIds, insertImage, renameImage } from "../../src/store/images.ts";
import { migrations } from "../../src/store/migrations/index.ts";
import { isDiskFull, openDatabase } from "../../src/store/open.ts";
import type { Schema } from "../../src/store/schema.ts";
import { openStore } from "../../src/store/store.ts";
import { imageRecord } from "./records.ts";

let dir: TempDir;
before(async () => {
  dir = await makeTempDir("banger-open-");
});
after(() => dir[Symbol.asyncDispose]());

function schemaOf(path: string): unknown {
  const raw = new SQLite(path, { readonly: true });
  const rows = raw
    .prepare("SELECT name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE 'kysely%' ORDER BY name")
    .all();
  raw.close();
  return rows;
}

const broken = {
  up: async (db: Kysely<Schema>) => {
    await sql`CREATE TABLE half_done (id TEXT) STRICT`.execute(db);
    await sql`ALTER TABLE images ADD COLUMN half TEXT`.execute(db);
    await sql`THIS IS NOT SQL`.execute(db);
  },
};

describe("migrations", () => {
  test("all tables are STRICT", async () => {
    const path = join(dir.path, "strict.db");
    await (await openDatabase(path)).destroy();
    const raw = new SQLite(path, { readonly: true });
    const tables = raw.prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'").all();
    raw.close();
    for (const table of ["images", "image_layers", "pulls"]) {
      assert.ok(tables.some((row) => JSON.stringify(row) === JSON.stringify({ name: table, strict: 1 })));
    }
  });

  test("one that fails half way leaves the old schema and the old rows", async () => {
    const path = join(dir.path, "half.db");
    const image = imageRecord();
    {
      await using store = await openStore(path);
      await store.insertImage(image);
    }
    const before = schemaOf(path);
    await assert.rejects(
      openStore(path, { migrations: { ...migrations, "9999-broken": broken } }),
      (error) => hasReason(error, "STORE_FAILED") && error.message.includes("9999-broken"),
    );
    assert.deepEqual(schemaOf(path), before);
    await using store = await openStore(path);
    assert.deepEqual(await store.findImage(image.id), image);
  });

  test("one that fails on the first start leaves no table", async () => {
    const path = join(dir.path, "first.db");
    await assert.rejects(openStore(path, { migrations: { ...migrations, "9999-broken": broken } }));
    assert.deepEqual(schemaOf(path), []);
    await using store = await openStore(path);
    assert.equal(await store.imageCount(), 0);
  });

  test("a later one is applied to a database that has the earlier", async () => {
    const path = join(dir.path, "later.db");
    await (await openStore(path))[Symbol.asyncDispose]();
    const later = {
      up: async (db: Kysely<Schema>) => {
        await sql`CREATE TABLE later (id TEXT) STRICT`.execute(db);
      },
    };
    await (
      await openStore(path, { migrations: { ...migrations, "9999-later": later } })
    )[Symbol.asyncDispose]();
    assert.match(JSON.stringify(schemaOf(path)), /CREATE TABLE later/);
    // And the program that does not know it refuses, rather than write what the newer can't read.
    await assert.rejects(
      openStore(path),
      (error) => hasReason(error, "STORE_FAILED") && error.message.includes("another version"),
    );
  });

  test("what is no database is refused and left as it is", async () => {
    const path = join(dir.path, "text.db");
    await writeFile(path, "this is a text file, and a rather long one ".repeat(100));
    await assert.rejects(
      openStore(path),
      (error) =>
        hasReason(error, "STORE_FAILED") &&
        error.hint.includes(`Restore ${path} from a backup`) &&
        !error.hint.includes("move it away"),
    );
    await assert.rejects(openStore(join(dir.path, "no", "such.db")), (error) =>
      hasReason(error, "STORE_FAILED"),
    );
  });
});

describe("a full disk", () => {
  test("in the middle of a transaction is told as such, and the database goes on", async () => {
    const db = await openDatabase(join(dir.path, "full.db"));
    const [kept, large] = [imageRecord(), imageRecord({ name: "large", reference: "r".repeat(1 << 20) })];
    await insertImage(db, kept);
    await sql`PRAGMA max_page_count = 1`.execute(db);
    // It takes no less than what the file has by now.
    await assert.rejects(insertImage(db, large), isDiskFull);
    await assert.rejects(renameImage(db, kept.id, "n".repeat(1 << 20)), isDiskFull);
    await sql`PRAGMA max_page_count = 100000`.execute(db);
    assert.deepEqual(await allImageIds(db), new Set([kept.id]));
    await insertImage(db, large);
    await db.destroy();
  });
});
