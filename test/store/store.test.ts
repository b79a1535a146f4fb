import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import SQLite from "better-sqlite3";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { openStore, type ImageQuery, type Store } from "../../src/store/store.ts";
import { digestFor, imageRecord, pullRecord } from "./records.ts";

let dir: TempDir;
let path: string;
let store: Store;
let count = 0;
before(async () => {
  dir = await makeTempDir("banger-store-");
});
beforeEach(async () => {
  await store?.[Symbol.asyncDispose]();
  path = join(dir.path, `${count++}.db`);
  store = await openStore(path);
});
after(async () => {
  await store[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

const byName: ImageQuery = { pageSize: 100, order: "name", includeNameless: false };

async function pages(query: ImageQuery): Promise<string[][]> {
  const out: string[][] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.listImages({ ...query, pageToken });
    out.push(page.images.map((image) => image.name || image.id));
    pageToken = page.nextPageToken || undefined;
  } while (pageToken !== undefined);
  return out;
}

describe("images", () => {
  test("a record comes back as it went in, also after the database was closed", async () => {
    const full = imageRecord({ rootfsDigest: digestFor("rootfs") });
    const bare = imageRecord({
      name: "bare",
      indexDigest: undefined,
      platform: { os: "linux", architecture: "amd64", osVersion: "6.1", osFeatures: ["a"] },
      layers: [],
      losses: [],
      builder: "direct",
    });
    await store.insertImage(full);
    await store.insertImage(bare);
    assert.deepEqual(await store.findImage(full.id), full);
    await store[Symbol.asyncDispose]();
    store = await openStore(path);
    assert.deepEqual(await store.findImage("app-latest"), full);
    assert.deepEqual(await store.findByName("bare"), bare);
    assert.equal(await store.imageCount(), 2);
    assert.deepEqual(await store.allImageIds(), new Set([full.id, bare.id]));
  });

  test("1,000 layers are kept in their order", async () => {
    const [layer] = imageRecord().layers;
    assert.ok(layer);
    const layers = Array.from({ length: 1000 }, (_, at) => ({ ...layer, sizeBytes: at }));
    const image = imageRecord({ layers });
    await store.insertImage(image);
    assert.deepEqual((await store.findImage(image.id)).layers, layers);
  });

  test("an image of the same repository takes the name over, one of another is refused", async () => {
    const old = imageRecord();
    const newer = imageRecord({ manifestDigest: digestFor("moved tag") });
    const stranger = imageRecord({ repository: "registry.example/other/app" });
    await store.insertImage(old);
    await store.insertImage(newer);
    assert.equal((await store.findImage(old.id)).name, "");
    assert.equal((await store.findByName("app-latest"))?.id, newer.id);
    await assert.rejects(store.insertImage(stranger), (error) => hasReason(error, "NAME_TAKEN"));
    assert.deepEqual(await store.allImageIds(), new Set([old.id, newer.id]));
    assert.equal((await store.findByName("app-latest"))?.id, newer.id);
  });

  test("an insert that fails half way changes nothing", async () => {
    const old = imageRecord();
    await store.insertImage(old);
    // The second row of layers breaks the primary key only after the name was taken from `old`.
    const broken = imageRecord({ id: old.id });
    await assert.rejects(store.insertImage(broken), (error) => hasReason(error, "STORE_FAILED"));
    assert.deepEqual(await store.findImage(old.id), old);
  });

  test("one that is not there is answered with the name that was meant", async () => {
    for (const name of ["debian-bookworm", "debian-bullseye", "web"])
      await store.insertImage(imageRecord({ name }));
    const hintOf = async (wanted: string): Promise<readonly [string, unknown]> => {
      const error = await store.findImage(wanted).then(
        () => assert.fail("found"),
        (thrown: unknown) => thrown,
      );
      assert.ok(hasReason(error, "IMAGE_UNKNOWN"));
      return [error.hint, error.facts["nearestName"]];
    };
    assert.deepEqual(await hintOf("debain-bookworm"), [
      "Did you mean debian-bookworm? `banger image ls` lists them all.",
      "debian-bookworm",
    ]);
    for (const wanted of ["alpine", "%", "x".repeat(100_000)]) {
      const [hint, meant] = await hintOf(wanted);
      assert.match(hint, /^List the images/);
      assert.equal(meant, undefined);
    }
  });

  test("is found by id before name, and by a unique beginning of the id", async () => {
    const a = imageRecord({ id: "abcd00000000000000000001", name: "a" });
    const b = imageRecord({ id: "abcd11111111111111111111", name: a.id });
    const c = imageRecord({ id: "beef22222222222222222222", name: "abcd" });
    for (const image of [a, b, c]) await store.insertImage(image);
    assert.equal((await store.findImage(a.id)).id, a.id);
    assert.equal((await store.findImage("abcd")).id, c.id);
    assert.equal((await store.findImage("abcd1")).id, b.id);
    assert.equal((await store.findImage("abcd0")).id, a.id);
    for (const wanted of ["bee", "", "%", "beef2222222222222222222g", "BEEF", "zz"]) {
      await assert.rejects(store.findImage(wanted), (error) => hasReason(error, "IMAGE_UNKNOWN"), wanted);
    }
    await store.renameImage(c.id, "c");
    await assert.rejects(store.findImage("abcd"), (error) => hasReason(error, "OPTION_INVALID"));
  });

  test("findNameless gives only a nameless one of the same repository, digest and options", async () => {
    const old = imageRecord();
    await store.insertImage(old);
    const find = (key = old.optionsKey, repository = old.repository) =>
      store.findNameless(repository, old.manifestDigest, key);
    assert.equal(await find(), undefined);
    await store.insertImage(imageRecord({ manifestDigest: digestFor("moved") }));
    assert.equal((await find())?.id, old.id);
    assert.equal(await find("other"), undefined);
    assert.equal(await find(old.optionsKey, "other"), undefined);
  });

  test("moveName gives a nameless image its name back", async () => {
    const old = imageRecord();
    const newer = imageRecord({ manifestDigest: digestFor("moved") });
    const stranger = imageRecord({ name: "stranger", repository: "registry.example/s" });
    for (const image of [old, newer, stranger]) await store.insertImage(image);
    assert.equal((await store.moveName(old.id, "app-latest")).name, "app-latest");
    assert.equal((await store.findImage(newer.id)).name, "");
    assert.equal((await store.moveName(old.id, "app-latest")).id, old.id);
    await assert.rejects(store.moveName(old.id, "stranger"), (error) => hasReason(error, "NAME_TAKEN"));
    await assert.rejects(store.moveName("nobody", "x"), (error) => hasReason(error, "IMAGE_UNKNOWN"));
  });

  test("renameImage takes a name from nobody", async () => {
    const a = imageRecord({ name: "a" });
    const b = imageRecord({ name: "b" });
    for (const image of [a, b]) await store.insertImage(image);
    assert.deepEqual(await store.renameImage(a.id, "c"), { ...a, name: "c" });
    assert.equal((await store.renameImage(a.id, "c")).name, "c");
    await assert.rejects(store.renameImage(a.id, "b"), (error) => hasReason(error, "NAME_TAKEN"));
    await assert.rejects(store.renameImage("nobody", "d"), (error) => hasReason(error, "IMAGE_UNKNOWN"));
    assert.equal((await store.findByName("b"))?.id, b.id);
  });

  test("deleteImage removes the layers too, and fails the second time", async () => {
    const image = imageRecord();
    await store.insertImage(image);
    await store.deleteImage(image.id);
    await assert.rejects(store.deleteImage(image.id), (error) => hasReason(error, "IMAGE_UNKNOWN"));
    assert.equal(await store.imageCount(), 0);
    const raw = new SQLite(path, { readonly: true });
    assert.deepEqual(raw.prepare("SELECT count(*) AS n FROM image_layers").get(), { n: 0 });
    raw.close();
  });

  test("what is damaged is an error that names the place, never a wrong record", async () => {
    const image = imageRecord();
    await store.insertImage(image);
    const damages = [
      "UPDATE images SET losses_json = '{'",
      "UPDATE images SET losses_json = '[{}]'",
      "UPDATE images SET losses_json = '[]', config_json = '{\"entrypoint\": 1}'",
      "UPDATE images SET manifest_digest = '../../etc'",
    ];
    for (const damage of damages) {
      const raw = new SQLite(path);
      raw.exec(damage);
      raw.close();
      await assert.rejects(
        store.findImage(image.id),
        (error) => hasReason(error, "STORE_FAILED") && error.message.includes(image.id),
        damage,
      );
    }
  });
});

describe("pages of images", () => {
  test("every order, every page size: all rows, once, in order", async () => {
    const names = ["a", "a-b", "a.b", "a_b", "ab", "b", "b0"];
    for (const [at, name] of names.entries()) {
      // Equal keys, so that only the id tells them apart.
      const image = imageRecord({ name, createdAt: at % 3, rootfsAllocatedBytes: at % 2 });
      await store.insertImage(image);
    }
    const nameless = imageRecord({ name: "", createdAt: 1, rootfsAllocatedBytes: 1 });
    await store.insertImage(nameless);
    for (const order of ["name", "newest", "largest"] as const) {
      const [whole] = await pages({ pageSize: 100, order, includeNameless: true });
      assert.ok(whole);
      assert.deepEqual([...whole].sort(), [...names, nameless.id].sort());
      if (order === "name") assert.deepEqual(whole, [...names, nameless.id]);
      for (let pageSize = 1; pageSize <= 8; pageSize++) {
        const got = await pages({ pageSize, order, includeNameless: true });
        assert.deepEqual(got.flat(), whole, `${order} by ${pageSize}`);
        assert.ok(got.every((page) => page.length <= pageSize && page.length > 0));
      }
    }
    const { images } = await store.listImages({ pageSize: 9, order: "newest", includeNameless: true });
    const ages = images.map((image) => image.createdAt);
    assert.deepEqual(
      ages,
      [...ages].sort((a, b) => b - a),
    );
    const large = await store.listImages({ pageSize: 9, order: "largest", includeNameless: true });
    const sizes = large.images.map((image) => image.rootfsAllocatedBytes);
    assert.deepEqual(
      sizes,
      [...sizes].sort((a, b) => b - a),
    );
    assert.deepEqual((await pages(byName)).flat(), names);
    assert.deepEqual((await pages({ ...byName, namePrefix: "a" })).flat(), ["a", "a-b", "a.b", "a_b", "ab"]);
    assert.deepEqual((await pages({ ...byName, namePrefix: "a%" })).flat(), []);
    assert.deepEqual((await pages({ ...byName, repository: "nobody" })).flat(), []);
  });

  test("rows that come and go between two pages hide no other", async () => {
    for (const name of ["a", "c", "e", "g"]) await store.insertImage(imageRecord({ name }));
    const first = await store.listImages({ ...byName, pageSize: 2 });
    await store.insertImage(imageRecord({ name: "b" }));
    await store.deleteImage((await store.findImage("c")).id);
    const second = await store.listImages({ ...byName, pageSize: 2, pageToken: first.nextPageToken });
    assert.deepEqual(
      second.images.map((image) => image.name),
      ["e", "g"],
    );
    assert.equal(second.nextPageToken, "");
  });

  test("a token is refused where it was forged, or belongs to another list", async () => {
    for (const name of ["a", "b"]) await store.insertImage(imageRecord({ name }));
    const { nextPageToken } = await store.listImages({ ...byName, pageSize: 1 });
    assert.notEqual(nextPageToken, "");
    const refused = (query: ImageQuery) =>
      assert.rejects(
        store.listImages(query),
        (error) => hasReason(error, "OPTION_INVALID") && error.fields[0]?.field === "page_token",
      );
    await refused({ ...byName, order: "newest", pageToken: nextPageToken });
    await refused({ ...byName, namePrefix: "a", pageToken: nextPageToken });
    for (const pageToken of ["x", "", "AAAA", `${nextPageToken}=`, "x".repeat(5000)]) {
      await refused({ ...byName, pageToken });
    }
    const forged: unknown = JSON.parse(Buffer.from(nextPageToken, "base64url").toString());
    assert.ok(Array.isArray(forged));
    for (const key of [null, {}, 1.5, true]) {
      const list: unknown[] = [forged[0], key, forged[2]];
      await refused({ ...byName, pageToken: Buffer.from(JSON.stringify(list)).toString("base64url") });
    }
  });

  test("a page ends before it outgrows a gRPC message", async () => {
    const labels = { big: "x".repeat(900_000) };
    for (const name of ["a", "b", "c", "d", "e"]) {
      await store.insertImage(imageRecord({ name, config: { ...imageRecord().config, labels } }));
    }
    const got = await pages(byName);
    assert.deepEqual(got.flat(), ["a", "b", "c", "d", "e"]);
    assert.ok(got.every((page) => page.length <= 2 && page.length > 0));
  });

  test("each order is read from an index", () => {
    const raw = new SQLite(path, { readonly: true });
    const plan = (order: string): string =>
      JSON.stringify(raw.prepare(`EXPLAIN QUERY PLAN SELECT id FROM images ${order} LIMIT 101`).all());
    for (const order of [
      "WHERE (name_order, id) > ('a', 'b') ORDER BY name_order, id",
      "WHERE (created_at, id) < (1, 'b') ORDER BY created_at DESC, id DESC",
      "WHERE (rootfs_allocated_bytes, id) < (1, 'b') ORDER BY rootfs_allocated_bytes DESC, id DESC",
    ]) {
      assert.match(plan(order), /USING (?:COVERING )?INDEX/);
      assert.doesNotMatch(plan(order), /TEMP B-TREE/);
    }
    // The check itself can fail.
    assert.match(plan("ORDER BY repository || id"), /TEMP B-TREE/);
    raw.close();
  });
});

describe("pulls", () => {
  test("a record comes back as it went in, and changes", async () => {
    const pull = pullRecord({ detached: true });
    await store.insertPull(pull);
    assert.deepEqual(await store.findPull(pull.id), pull);
    const ended = {
      ...pull,
      state: "failed" as const,
      endedAt: 1_700_000_001_000,
      manifestDigest: digestFor("m"),
      imageId: "abc",
      stageTimes: [{ stage: "fetch", durationMs: 1 }],
      failureReason: "DISK_FULL",
      failureMessage: "no space",
    };
    await store.updatePull(ended);
    assert.deepEqual(await store.findPull(pull.id), ended);
    await store.deletePull(pull.id);
    await store.deletePull(pull.id);
    await assert.rejects(store.findPull(pull.id), (error) => hasReason(error, "PULL_UNKNOWN"));
    await assert.rejects(store.updatePull(pull), (error) => hasReason(error, "PULL_UNKNOWN"));
  });

  test("are found by a unique beginning of their id", async () => {
    for (const id of ["p0123456789abcde0", "p0123456789abcde1", "p0124000000000000"]) {
      await store.insertPull(pullRecord({ id }));
    }
    assert.equal((await store.findPull("p0124")).id, "p0124000000000000");
    assert.equal((await store.findPull("p0123456789abcde1")).id, "p0123456789abcde1");
    await assert.rejects(
      store.findPull("p0123456789abcde"),
      (error) => hasReason(error, "OPTION_INVALID") && error.message.includes("several pulls"),
    );
    for (const none of ["p012", "0124", "p9999", "p0124%", "P0124"]) {
      await assert.rejects(store.findPull(none), (error) => hasReason(error, "PULL_UNKNOWN"), none);
    }
  });

  test("pages, newest first, active only where asked", async () => {
    const states = ["running", "failed", "waiting", "published", "cancelled"] as const;
    const records = Array.from({ length: 20 }, (_, at) =>
      pullRecord({ startedAt: Math.floor(at / 3), state: states[at % 5] ?? "running" }),
    );
    for (const record of records) await store.insertPull(record);
    const collect = async (activeOnly: boolean): Promise<string[]> => {
      const ids: string[] = [];
      let pageToken: string | undefined;
      do {
        const page = await store.listPulls({ pageSize: 3, pageToken, activeOnly });
        assert.ok(page.pulls.length <= 3);
        ids.push(...page.pulls.map((pull) => pull.id));
        pageToken = page.nextPageToken || undefined;
      } while (pageToken !== undefined);
      return ids;
    };
    const sorted = [...records].sort((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1));
    const active = sorted.filter(({ state }) => state === "running" || state === "waiting");
    assert.deepEqual(
      await collect(false),
      sorted.map(({ id }) => id),
    );
    assert.deepEqual(
      await collect(true),
      active.map(({ id }) => id),
    );
    const { nextPageToken } = await store.listPulls({ pageSize: 3, activeOnly: true });
    await assert.rejects(
      store.listPulls({ pageSize: 3, pageToken: nextPageToken, activeOnly: false }),
      (error) => hasReason(error, "OPTION_INVALID"),
    );
  });

  test("a page ends before it outgrows a gRPC message, by its messages and references", async () => {
    const long = {
      state: "failed",
      failureMessage: "x".repeat(400_000),
      reference: "y".repeat(400_000),
    } as const;
    for (let at = 0; at < 8; at++) await store.insertPull(pullRecord({ ...long, startedAt: at }));
    const found: number[] = [];
    let pageToken: string | undefined;
    do {
      const page = await store.listPulls({ pageSize: 1000, pageToken, activeOnly: false });
      const bytes = page.pulls.reduce(
        (sum, pull) => sum + pull.failureMessage.length + pull.reference.length,
        0,
      );
      assert.ok(bytes <= 2 * 1024 * 1024, String(bytes));
      found.push(...page.pulls.map(({ startedAt }) => startedAt));
      pageToken = page.nextPageToken || undefined;
    } while (pageToken !== undefined);
    assert.deepEqual(found, [7, 6, 5, 4, 3, 2, 1, 0]);
  });

  test("those that a killed daemon left running are failed, and say so", async () => {
    const left = [pullRecord({ state: "running" }), pullRecord({ state: "waiting" })];
    const done = pullRecord({ state: "published", endedAt: Date.now() });
    for (const record of [...left, done]) await store.insertPull(record);
    const cut = await store.endInterruptedPulls();
    assert.deepEqual(cut.resumable, []);
    assert.deepEqual([...cut.ended].sort(), left.map(({ id }) => id).sort());
    for (const { id } of left) {
      const pull = await store.findPull(id);
      assert.equal(pull.state, "failed");
      assert.equal(pull.failureReason, "SHUTTING_DOWN");
      assert.match(pull.failureMessage, /daemon ended/);
      assert.ok(pull.endedAt);
    }
    assert.deepEqual(await store.findPull(done.id), done);
    assert.deepEqual(await store.endInterruptedPulls(), { ended: [], resumable: [] });
  });

  test("history is kept for a time, and goes by itself: when a pull begins, and at the start", async () => {
    await store[Symbol.asyncDispose]();
    let now = 1_800_000_000_000;
    const options = { keepHistoryMs: () => 1000, now: () => now };
    store = await openStore(path, options);
    const old = pullRecord({ state: "failed", startedAt: now - 9000, endedAt: now - 999 });
    const running = pullRecord({ state: "running", startedAt: now - 9000 });
    for (const record of [old, running]) await store.insertPull(record);
    assert.equal((await store.findPull(old.id)).id, old.id);
    now += 1000;
    const next = pullRecord({ state: "published", startedAt: now, endedAt: now });
    await store.insertPull(next);
    await assert.rejects(store.findPull(old.id), (error) => hasReason(error, "PULL_UNKNOWN"));
    assert.equal((await store.findPull(running.id)).state, "running");
    now += 1001;
    await store.endInterruptedPulls();
    await assert.rejects(store.findPull(next.id), (error) => hasReason(error, "PULL_UNKNOWN"));
    assert.equal((await store.findPull(running.id)).state, "failed");
  });

  test("detached ones that were cut off may go on, unless they had credentials", async () => {
    const detached = pullRecord({ detached: true });
    const secret = pullRecord({ detached: true });
    const watched = pullRecord();
    const nothingKept = pullRecord({ detached: true });
    await store.insertPull(detached, { json: '{"a":1}', hadCredentials: false });
    await store.insertPull(secret, { json: "{}", hadCredentials: true });
    await store.insertPull(watched, { json: "{}", hadCredentials: false });
    await store.insertPull(nothingKept);
    // What a pull says while it goes on changes neither.
    await store.updatePull({ ...detached, state: "waiting", name: "later" });
    const { ended, resumable } = await store.endInterruptedPulls();
    assert.deepEqual(resumable, [
      { record: { ...detached, state: "waiting", name: "later" }, requestJson: '{"a":1}' },
    ]);
    assert.deepEqual([...ended].sort(), [secret.id, watched.id, nothingKept.id].sort());
    assert.equal((await store.findPull(secret.id)).failureReason, "CREDENTIALS_GONE");
    assert.equal((await store.findPull(watched.id)).failureReason, "SHUTTING_DOWN");
    assert.match(
      (await store.findPull(watched.id)).failureMessage,
      /Pull again: what was downloaded is kept\.$/,
    );
    assert.deepEqual((await store.endInterruptedPulls()).resumable, resumable);
  });

  test("the oldest of very many are forgotten", async () => {
    const raw = new SQLite(path);
    raw.exec(`
      WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 10004)
      INSERT INTO pulls SELECT 'p' || i, 'r', 'n', 'published', i, ${Date.now()}, NULL, NULL, '[]', '', '', 0, '', 0 FROM n`);
    await store.endInterruptedPulls();
    for (const gone of ["p0", "p4"]) {
      await assert.rejects(store.findPull(gone), (error) => hasReason(error, "PULL_UNKNOWN"));
    }
    assert.equal((await store.findPull("p5")).id, "p5");

    // And while the daemon runs; one that is under way is kept, however old.
    raw.exec("UPDATE pulls SET state = 'running' WHERE id = 'p5'");
    await store.insertPull({ ...(await store.findPull("p10004")), id: "new" });
    await store.insertPull({ ...(await store.findPull("p10004")), id: "newer" });
    assert.equal((await store.findPull("p5")).id, "p5");
    await assert.rejects(store.findPull("p6"), (error) => hasReason(error, "PULL_UNKNOWN"));
    assert.equal((await store.findPull("p7")).id, "p7");
    raw.close();
  });
});

describe("the database file", () => {
  test("is for its owner alone, in WAL mode with full syncs and foreign keys", async () => {
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(`${path}-wal`)).mode & 0o777, 0o600);
    const raw = new SQLite(path, { readonly: true });
    assert.equal(raw.pragma("journal_mode", { simple: true }), "wal");
    raw.close();
  });

  test("10,000 images: a look-up stays one row's work", async () => {
    const raw = new SQLite(path, { readonly: true });
    const plans = [
      "SELECT * FROM images WHERE name = 'a'",
      "SELECT * FROM images WHERE id >= 'abcd' AND id < 'abcd~'",
      "SELECT * FROM images WHERE manifest_digest = 'a' AND options_key = 'b' AND repository = 'c' AND name IS NULL",
      "SELECT * FROM image_layers WHERE image_id = 'a' ORDER BY position",
      "SELECT * FROM pulls WHERE state IN ('waiting', 'running') ORDER BY started_at DESC, id DESC",
    ];
    for (const query of plans) {
      const plan = JSON.stringify(raw.prepare(`EXPLAIN QUERY PLAN ${query}`).all());
      assert.match(plan, /USING (?:COVERING )?(?:INDEX|PRIMARY KEY)/, query);
      assert.doesNotMatch(plan, /TEMP B-TREE/, query);
    }
    assert.match(
      JSON.stringify(raw.prepare("EXPLAIN QUERY PLAN SELECT * FROM images WHERE reference = 'a'").all()),
      /SCAN/,
    );
    raw.close();
  });
});
