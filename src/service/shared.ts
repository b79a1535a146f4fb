import { Trash } from "../base/trash.ts";
import { messageOf } from "../base/error.ts";
import { BlobCache } from "../blobs/cache.ts";
import { CacheUpkeep } from "../pull/cache-upkeep.ts";
import type { Store } from "../store/store.ts";
import type { DaemonConfig } from "./config.ts";
import type { Log } from "./log.ts";

/** What pulls work with, and others do as well. */
export interface SharedParts {
  readonly blobs: BlobCache;
  readonly upkeep: CacheUpkeep;
  readonly trash: Trash;
}

/** Makes it. What must be disposed of goes onto `owned`. */
export async function openShared(
  { paths, live, limits }: DaemonConfig,
  store: Store,
  owned: AsyncDisposableStack,
  log: Log,
): Promise<SharedParts> {
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
  return { blobs, upkeep, trash };
}
