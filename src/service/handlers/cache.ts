import { create } from "@bufbuild/protobuf";
import { durationMs, type Duration } from "@bufbuild/protobuf/wkt";
import {
  CacheService,
  CacheUsageSchema,
  GetCacheUsageResponseSchema,
  PruneCacheResponseSchema,
} from "../../../gen/banger/image/v1/cache_service_pb.ts";
import type { CacheUpkeep } from "../../pull/cache-upkeep.ts";
import { unary } from "../routes.ts";
import { invalidField } from "./images.ts";

export interface CacheDeps {
  readonly upkeep: Pick<CacheUpkeep, "usage" | "prune">;
}

export function cacheRoutes({ upkeep }: CacheDeps) {
  const { method } = CacheService;
  return {
    getCacheUsage: unary(method.getCacheUsage, async (_request, { signal }) => {
      const usages = (await upkeep.usage(signal)).map(({ kind, count, bytes, unusedBytes }) =>
        create(CacheUsageSchema, {
          kind,
          fileCount: BigInt(count),
          bytes: BigInt(bytes),
          unusedBytes: BigInt(unusedBytes),
        }),
      );
      return create(GetCacheUsageResponseSchema, { usages });
    }),

    pruneCache: unary(method.pruneCache, async ({ unusedFor, keepBytes, all, dryRun }, { signal }) => {
      const request = { unusedForMs: parseAge(unusedFor), keepBytes: parseKeep(keepBytes), all, dryRun };
      const { count, bytes } = await upkeep.prune(request, signal);
      return create(PruneCacheResponseSchema, { removedCount: BigInt(count), freedBytes: BigInt(bytes) });
    }),
  };
}

function parseAge(unusedFor: Duration | undefined): number {
  const ms = unusedFor === undefined ? 0 : durationMs(unusedFor);
  if (ms >= 0 && Number.isFinite(ms)) return ms;
  throw invalidField("unused_for", "It is negative.");
}

function parseKeep(keepBytes: bigint): number {
  if (keepBytes >= 0n && keepBytes <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(keepBytes);
  throw invalidField("keep_bytes", "It is negative, or larger than any cache.");
}
