import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import SQLite from "better-sqlite3";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { openStore, type ImageListOrder, type ImageSummary, type Store } from "../../src/store/store.ts";
import { seedStore } from "./seed.ts";

/**
 * What a query costs follows from its plan: one that searches an index costs what it finds, one that scans or sorts
 * costs what the table holds. SQLite is asked for the plan of each statement that the store sends.
 */
let dir: TempDir;
let path: string;
before(async () => {
  dir = await makeTempDir("banger-plans-");
  path = join(dir.path, "banger.db");
  await (await openStore(path))[Symbol.asyncDispose]();
  seedStore(path, 10_000);
});
after(() => dir[Symbol.asyncDispose]());

/** Plans of all statements that touched a table of ours while `work` ran. */
async function plansOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  const statements = new Set<string>();
  const prepare: unknown = Reflect.get(SQLite.prototype, "prepare");
  assert.ok(typeof prepare === "function");
  const spy = function (this: SQLite.Database, source: string) {
    statements.add(source);
    const statement: unknown = Reflect.apply(prepare, this, [source]);
    return statement;
  };
  Reflect.set(SQLite.prototype, "prepare", spy);
  try {
    await work();
  } finally {
    Reflect.set(SQLite.prototype, "prepare", prepare);
  }
  const raw = new SQLite(path, { readonly: true });
  const plans = [...statements]
    .filter((source) => /\b(images|image_layers|pulls|leases)\b/.test(source))
    .flatMap((source) => {
      const parameters = source.match(/\?/g)?.length ?? 0;
      const rows = raw
        .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${source}`)
        .all(...Array.from({ length: parameters }, () => null));
      return rows.map(({ detail }) => detail);
    });
  raw.close();
  assert.ok(plans.length > 0, "the statements were seen");
  return plans;
}

async function firstImages(): Promise<readonly ImageSummary[]> {
  await using store = await openStore(path);
  return (await store.listImages({ pageSize: 3, order: "name", includeNameless: false })).images;
}

/** A scan along an index that the limit of a page ends is no scan of the table; a sort is one. */
function costly(plans: readonly string[]): readonly string[] {
  return plans.filter((plan) => /^SCAN (?!.*USING (COVERING )?INDEX)|TEMP B-TREE/.test(plan));
}

describe("with 10,000 images", () => {
  const orders: readonly ImageListOrder[] = ["name", "newest", "largest"];
  for (const order of orders) {
    for (const includeNameless of [true, false]) {
      test(`a page by ${order}${includeNameless ? ", nameless ones too" : ""} walks an index`, async () => {
        await using store = await openStore(path);
        const query = { pageSize: 100, order, includeNameless };
        let nextPageToken = "";
        const first = await plansOf(async () => {
          ({ nextPageToken } = await store.listImages(query));
        });
        assert.deepEqual(costly(first), []);
        const next = await plansOf(() => store.listImages({ ...query, pageToken: nextPageToken }));
        assert.deepEqual(costly(next), []);
        assert.ok(
          next.some((plan) => plan.startsWith("SEARCH images")),
          `the next page starts where the last ended: ${next.join("; ")}`,
        );
      });
    }
  }

  test("a prefix and a repository are searched for", async () => {
    await using store = await openStore(path);
    const base = { pageSize: 100, order: "name", includeNameless: false } as const;
    for (const filter of [{ namePrefix: "image-00" }, { repository: "registry.example/r7" }]) {
      const plans = await plansOf(() => store.listImages({ ...base, ...filter }));
      assert.deepEqual(costly(plans), []);
      assert.ok(
        plans.every((plan) => plan.startsWith("SEARCH")),
        plans.join("; "),
      );
    }
  });

  test("get, rename, delete, leases and history search, and scan nothing", async () => {
    const [a, b] = await firstImages();
    assert.ok(a !== undefined && b !== undefined);
    const work: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
      byId: (store) => store.findImage(a.id),
      byPrefix: (store) => store.findImage(a.id.slice(0, 20)),
      byName: (store) => store.findImage(b.name),
      rename: (store) => store.renameImage(a.id, "renamed"),
      lease: (store) => store.acquireLease({ imageId: a.id, holder: "h", ttlMs: 1, renew: undefined }),
      condemn: async (store) => (await store.condemnImage(b.id))[Symbol.dispose](),
      delete: (store) => store.deleteImage(b.id),
      pulls: (store) => store.listPulls({ pageSize: 100, activeOnly: false }),
      activePulls: (store) => store.listPulls({ pageSize: 100, activeOnly: true }),
    };
    for (const [name, run] of Object.entries(work)) {
      // A store of its own: one that has asked the same before has the statement by it.
      await using store = await openStore(path);
      assert.deepEqual(costly(await plansOf(() => run(store))), [], name);
    }
    await using store = await openStore(path);
    // Of one digest and key there are few: those are sorted.
    const nameless = await plansOf(() => store.findNameless(a.repository, a.manifestDigest, a.optionsKey));
    assert.ok(nameless[0]?.startsWith("SEARCH images"), nameless.join("; "));
  });

  test("the check sees a scan and a sort", () => {
    assert.deepEqual(costly(["SCAN images", "USE TEMP B-TREE FOR ORDER BY"]).length, 2);
    assert.deepEqual(costly(["SCAN images USING INDEX images_by_age", "SEARCH images USING INDEX x"]), []);
  });
});
