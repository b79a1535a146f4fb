import { availableParallelism } from "node:os";
import { join } from "node:path";
import { DiskLedger } from "../base/disk-ledger.ts";
import { openTempRoot } from "../base/temp-root.ts";
import { makeDirectBuilder } from "../ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../ext4/e2fsprogs/builder.ts";
import { sweepIndexes } from "../layers/index/cache.ts";
import { LayerScanner, makeEarlyScanPool, makeScanPool } from "../layers/scan.ts";
import { createPulls, type Pulls } from "../pull/jobs.ts";
import type { PullObserver } from "../pull/observer.ts";
import { TurnQueue } from "../pull/queue.ts";
import type { Store } from "../store/store.ts";
import type { DaemonConfig } from "./config.ts";
import type { SharedParts } from "./shared.ts";

/** Makes what a daemon pulls with. What must be disposed of goes onto `owned`, which outlives the pulls. */
export type OpenPulls = (
  config: DaemonConfig,
  store: Store,
  owned: AsyncDisposableStack,
  observers: readonly PullObserver[],
  shared: SharedParts,
) => Promise<Pulls>;

export const openPulls: OpenPulls = async (config, store, owned, observers, shared) => {
  const { paths, live, limits, tempDir, guest } = config;
  const { stateDir, cacheDir } = paths;
  const { blobs, upkeep, trash, registry, signaturePolicies, readerGid } = shared;
  const { kernels } = shared.kernels;
  for (const algorithm of ["sha256", "sha512"]) await sweepIndexes(join(blobs.folders.indexes, algorithm));
  const temp = owned.use(await openTempRoot(tempDir, stateDir));
  // What is in it and being removed goes before the folder itself does. Disposing twice is harmless.
  owned.use(trash);
  const pool = owned.use(makeScanPool());
  const earlyPool = owned.use(makeEarlyScanPool());
  const scanner = new LayerScanner({ pool, earlyPool, indexFolder: blobs.folders.indexes, limits });
  const builders = { direct: makeDirectBuilder(), e2fsprogs: e2fsprogsBuilder };
  const queue = new TurnQueue(limits.concurrentPulls);
  const resolves = new TurnQueue(limits.concurrentResolves);
  owned.use(
    live.follow((settings) => {
      queue.resize(settings.limits.concurrentPulls);
      resolves.resize(settings.limits.concurrentResolves);
    }),
  );
  return createPulls({
    store,
    blobs,
    upkeep,
    trash,
    kernels,
    scanner,
    builders,
    queue,
    resolves,
    builds: new TurnQueue(availableParallelism()),
    ledger: new DiskLedger(),
    observers,
    stateDir,
    readerGid,
    cacheDir,
    tempDir: temp.path,
    limits,
    registry,
    signaturePolicies,
    guest,
  });
};
