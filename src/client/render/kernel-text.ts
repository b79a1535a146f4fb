import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CatalogEntry, Kernel, KernelProgress } from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { right, table } from "./table.ts";
import { formatBytes, formatDuration } from "./units.ts";

/** One line a kernel. */
export function kernelTable(kernels: readonly Kernel[], columns?: number): string[] {
  return table(
    [
      { heading: "NAME", cut: "end" },
      { heading: "VERSION", cut: "end" },
      { heading: "ARCHITECTURE", optional: true },
      right("SIZE"),
      right("IMAGES"),
      { heading: "SOURCE", cut: "start", optional: true },
    ],
    kernels.map((kernel) => [
      kernel.name,
      kernel.version,
      kernel.architecture,
      formatBytes(kernel.sizeBytes),
      String(kernel.imageCount),
      kernel.source,
    ]),
    columns,
  );
}

/** One line an entry. */
export function catalogTable(entries: readonly CatalogEntry[], columns?: number): string[] {
  return table(
    [
      { heading: "NAME", cut: "end" },
      { heading: "VERSION", cut: "end" },
      "ARCHITECTURE",
      "HERE",
      { heading: "CATALOG", cut: "end" },
      { heading: "SOURCE", cut: "start", optional: true },
    ],
    entries.map((entry) => [
      entry.name,
      entry.version,
      entry.architecture,
      entry.local ? "yes" : "no",
      entry.catalog,
      entry.source,
    ]),
    columns,
  );
}

/** How far a fetch is, in one line; what it comes to is not known before the source has said. */
export function kernelProgressText({ doneBytes, totalBytes, elapsed }: KernelProgress): string {
  const total = totalBytes === 0n ? "" : ` of ${formatBytes(totalBytes)}`;
  const time = elapsed === undefined ? "" : `, ${formatDuration(durationMs(elapsed))}`;
  return `fetch: ${formatBytes(doneBytes)}${total}${time}`;
}
