import type { CatalogEntry, Kernel } from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { table } from "./table.ts";
import { formatBytes } from "./units.ts";

/** One line a kernel. */
export function kernelTable(kernels: readonly Kernel[]): string[] {
  return table(
    ["NAME", "VERSION", "ARCHITECTURE", "SIZE", "IMAGES", "SOURCE"],
    kernels.map((kernel) => [
      kernel.name,
      kernel.version,
      kernel.architecture,
      formatBytes(kernel.sizeBytes),
      String(kernel.imageCount),
      kernel.source,
    ]),
  );
}

/** One line an entry. */
export function catalogTable(entries: readonly CatalogEntry[]): string[] {
  return table(
    ["NAME", "VERSION", "ARCHITECTURE", "HERE", "CATALOG", "SOURCE"],
    entries.map((entry) => [
      entry.name,
      entry.version,
      entry.architecture,
      entry.local ? "yes" : "no",
      entry.catalog,
      entry.source,
    ]),
  );
}
