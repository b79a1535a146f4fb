import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pulls } from "../../src/pull/jobs.ts";
import type { PullRequest } from "../../src/pull/request.ts";
import { loadConfig } from "../../src/service/config.ts";
import { startDaemon } from "../../src/service/daemon.ts";
import { silentLog } from "../../src/service/log.ts";
import { openPulls } from "../../src/service/pulls.ts";
import type { Store } from "../../src/store/store.ts";

const request: PullRequest = {
  reference: "oci:/there/is/no/such/folder",
  name: undefined,
  platform: { os: "linux", architecture: "amd64" },
  sizeBytes: undefined,
  builder: undefined,
  noAgents: true,
  keepIdentity: false,
  strict: false,
  verify: "full",
  detached: true,
};

/** Real pulls of a daemon on folders of its own, with that in place of parts of its store. */
async function startPulls(
  changes: (store: Store) => Partial<Store>,
): Promise<AsyncDisposable & { readonly pulls: Pulls; readonly store: Store }> {
  await using owned = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "banger-pulls-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const config = loadConfig({
    stateDir: join(folder, "state"),
    cacheDir: join(folder, "cache"),
    socketPath: join(folder, "s.sock"),
    configPath: join(folder, "config.toml"),
    configNamed: false,
    certsDirs: [],
    socketNamed: true,
  });
  const { promise, resolve } = Promise.withResolvers<{ pulls: Pulls; store: Store }>();
  owned.use(
    await startDaemon(config, {
      log: silentLog,
      openPulls: async (given, store, ...rest) => {
        const pulls = await openPulls(given, { ...store, ...changes(store) }, ...rest);
        resolve({ pulls, store });
        return pulls;
      },
    }),
  );
  const made = await promise;
  const kept = owned.move();
  return { ...made, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

test("who stops or cancels a pull while its end is noted down waits for that", async () => {
  const noting = Promise.withResolvers<void>();
  const mayNote = Promise.withResolvers<void>();
  await using daemon = await startPulls((store) => ({
    updatePull: async (record) => {
      noting.resolve();
      await mayNote.promise;
      await store.updatePull(record);
    },
  }));
  const { pulls, store } = daemon;
  using subscription = await pulls.pull(request);
  await noting.promise;
  const seen = new Set<string>();
  const see = (what: string) => async () => {
    const { state } = await store.findPull(subscription.pullId);
    seen.add(`${what}: ${state}`);
  };
  const ends = [pulls.cancel(subscription.pullId).then(see("cancelled")), pulls.stop().then(see("stopped"))];
  await sleep(50);
  assert.deepEqual(seen, new Set());
  mayNote.resolve();
  await Promise.all(ends);
  assert.deepEqual(seen, new Set(["cancelled: failed", "stopped: failed"]));
  assert.equal(pulls.activeCount(), 0);
});
