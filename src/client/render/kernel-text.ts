import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CatalogEntry, Kernel, KernelProgress } from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { table } from "./table.ts";
import { formatBytes, formatDuration } from "./units.ts";

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

/** How far a fetch is, in one line; what it comes to is not known before the source has said. */
export function kernelProgressText({ doneBytes, totalBytes, elapsed }: KernelProgress): string {
  const total = totalBytes === 0n ? "" : ` of ${formatBytes(totalBytes)}`;
  const time = elapsed === undefined ? "" : `, ${formatDuration(durationMs(elapsed))}`;
  return `fetch: ${formatBytes(doneBytes)}${total}${time}`;
}
