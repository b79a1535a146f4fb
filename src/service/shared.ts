import { homedir } from "node:os";
import { BandwidthLimit } from "../base/bandwidth.ts";
import { packageVersion } from "../base/version.ts";
import { kernelCatalog } from "../kernel/catalog.ts";
import { registryAccess } from "../registry/access.ts";
import type { RegistryAccess } from "../registry/open-source.ts";
import { parsePolicies, type SignaturePolicy } from "../signature/policy.ts";
import { Trash } from "../base/trash.ts";
import { messageOf } from "../base/error.ts";
import { BlobCache } from "../blobs/cache.ts";
import { CacheUpkeep } from "../pull/cache-upkeep.ts";
import type { Store } from "../store/store.ts";
import type { DaemonConfig } from "./config.ts";
import { openKernels, type KernelParts } from "./kernels.ts";
import type { DaemonLogs } from "./log.ts";

/** What pulls work with, and others do as well. */
export interface SharedParts {
  readonly blobs: BlobCache;
  readonly upkeep: CacheUpkeep;
  readonly trash: Trash;
  /** How registries, and what else is fetched, are reached. */
  readonly registry: RegistryAccess;
  /** Who must have signed what is brought in, as the config says at this moment. */
  readonly signaturePolicies: () => readonly SignaturePolicy[];
  readonly kernels: KernelParts;
  /** The group that may open what is published; undefined for nobody. */
  readonly readerGid: number | undefined;
}

/** Makes it. What must be disposed of goes onto `owned`. */
export async function openShared(
  config: DaemonConfig,
  store: Store,
  owned: AsyncDisposableStack,
  logs: DaemonLogs,
  readerGid: number | undefined,
): Promise<SharedParts> {
  const { paths, live, limits } = config;
  const { log } = logs;
  const blobs = await BlobCache.open(paths.cacheDir, { limits });
  const upkeep = owned.use(
    new CacheUpkeep({
      blobs,
      store,
      marks: () => live.settings.cache,
      onPruned: (why, { count, bytes }) => log.info("pruned cache", { why, files: count, bytes }),
      onError: (error) => log.warn("cache was not tidied", { error: error.message }),
    }),
  );
  await upkeep.sweep();
  upkeep.tidy();
  const trash = owned.use(
    new Trash((path, error) => log.warn("not removed yet", { path, error: messageOf(error) })),
  );
  const bandwidth = new BandwidthLimit(live.settings.registry.bandwidth);
  owned.use(live.follow((settings) => bandwidth.set(settings.registry.bandwidth)));
  const lookUp = { env: process.env, home: homedir(), limits };
  const registry = { ...registryAccess(lookUp, paths.certsDirs, `banger/${packageVersion()}`), bandwidth };
  let policies: readonly SignaturePolicy[] = [];
  owned.use(live.follow(({ signatures }) => void (policies = parsePolicies(signatures))));
  const signaturePolicies = () => policies;
  const { cacheDir } = paths;
  const catalogs = () => live.settings.kernels.catalogs;
  const catalog = kernelCatalog({
    catalogs,
    cacheDir,
    blobs,
    limits,
    access: registry,
    signaturePolicies,
  });
  const kernels = await openKernels(config, store, catalog, logs, readerGid);
  return { blobs, upkeep, trash, registry, signaturePolicies, kernels, readerGid };
}
