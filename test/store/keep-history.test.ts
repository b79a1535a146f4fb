import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { openStore } from "../../src/store/store.ts";
import { pullRecord } from "./records.ts";

test("ended pulls are remembered for as long as the setting is now; those under way always", async () => {
  await using dir = await makeTempDir("banger-history-");
  let [now, keepMs] = [0, 1000];
  const options = { keepHistoryMs: () => keepMs, now: () => now };
  await using store = await openStore(join(dir.path, "banger.db"), options);
  const ended = (id: string, endedAt: number) =>
    pullRecord({ id, state: "published", startedAt: 1, endedAt });
  const idsAfter = async (id: string, endedAt: number): Promise<string[]> => {
    now = endedAt;
    await store.insertPull(ended(id, endedAt));
    const { pulls } = await store.listPulls({ pageSize: 100, activeOnly: false });
    return pulls.map((pull) => pull.id).sort();
  };
  await store.insertPull(pullRecord({ id: "runs", state: "running", startedAt: 1, endedAt: undefined }));
  assert.deepEqual(await idsAfter("a", 100), ["a", "runs"]);
  assert.deepEqual(await idsAfter("b", 1100), ["a", "b", "runs"]);
  assert.deepEqual(await idsAfter("c", 1101), ["b", "c", "runs"]);
  keepMs = 10_000;
  assert.deepEqual(await idsAfter("d", 5000), ["b", "c", "d", "runs"]);
  keepMs = 100;
  assert.deepEqual(await idsAfter("e", 5001), ["d", "e", "runs"]);
});
