import { asBangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { systemClock, type Clock } from "../base/retry.ts";
import type { BlobCache } from "../blobs/cache.ts";
import { CatalogCopies } from "./catalog-copy.ts";
import { loadCatalog, type CatalogDeps, type CatalogSource, type LoadedCatalog } from "./catalog-load.ts";
import { formatKernelSource } from "./kernel-ref.ts";
import type { CatalogEntry, CatalogList, FetchedKernel, KernelCatalog } from "./kernel-source.ts";
import { fetchArtifact } from "./sources/fetch-artifact.ts";
import type { SourceDeps, SourceJob } from "./sources/fetch-blob.ts";
import { fetchDeb } from "./sources/fetch-deb.ts";
import { fetchUrlBundle } from "./sources/fetch-url.ts";

export interface KernelCatalogOptions {
  /** In the order in which they count. Asked for each time, as a reloaded config changes them. */
  readonly catalogs: () => readonly CatalogSource[];
  readonly cacheDir: string;
  readonly blobs: BlobCache;
  readonly limits: Limits;
  readonly access: SourceDeps["access"];
  readonly signaturePolicies?: SourceDeps["signaturePolicies"];
  readonly clock?: Clock;
}

/** The catalogs of a config, and every source that a kernel may come from. Holds nothing open. */
export function kernelCatalog(options: KernelCatalogOptions): KernelCatalog {
  const { blobs, limits, access, signaturePolicies, clock = systemClock } = options;
  const copies = new CatalogCopies(options.cacheDir, limits);
  const loading: CatalogDeps = { copies, limits, clock, web: access };
  const deps: SourceDeps = { blobs, limits, clock, access, signaturePolicies };
  return {
    list: async (signal) => {
      const loaded = options.catalogs().map((source) => loadCatalog(source, loading, signal));
      return mergeCatalogs(await Promise.all(loaded));
    },
    fetch: async (entry, job) => {
      try {
        return await fetchKernel(deps, entry, { ...job, subject: formatKernelSource(entry.source) });
      } catch (error) {
        throw asBangerError(error, "fetch kernel");
      }
    },
  };
}

async function fetchKernel(deps: SourceDeps, entry: CatalogEntry, job: SourceJob): Promise<FetchedKernel> {
  const { source, architecture } = entry;
  switch (source.kind) {
    case "artifact":
      return await fetchArtifact(deps, source, architecture, job);
    case "url":
      return await fetchUrlBundle(deps, source, job);
    case "deb":
      return await fetchDeb(deps, source, job);
  }
}

/**
 * All that the catalogs offer: of two entries with one name and architecture the first wins, and a warning tells of
 * the other unless it says the same. Pure.
 */
export function mergeCatalogs(catalogs: readonly LoadedCatalog[]): CatalogList {
  const kept = new Map<string, CatalogEntry>();
  const warnings: string[] = [];
  for (const catalog of catalogs) {
    warnings.push(...catalog.warnings);
    for (const entry of catalog.entries) {
      const key = `${entry.name} ${entry.architecture}`;
      const first = kept.get(key);
      if (first === undefined) kept.set(key, entry);
      else if (formatKernelSource(first.source) !== formatKernelSource(entry.source)) {
        const what = `${entry.name} (${entry.architecture}) of catalog ${entry.catalog}`;
        warnings.push(`${what} is hidden by that of catalog ${first.catalog}, which comes before it`);
      }
    }
  }
  const unavailable = catalogs.flatMap(({ failed, warnings: said }) => (failed ? said : []));
  return { entries: [...kept.values()], warnings, unavailable };
}
