import type { Limits } from "../base/limits.ts";
import type { WorkerPool } from "../base/workers.ts";
import type { ArrivingBlob } from "./blob-file.ts";
import type { LayerName } from "./root-tree.ts";
import type { ScanFacts } from "./scan-layer.ts";

/** What a scanning thread is sent. */
export interface ScanJob {
  readonly layer: LayerName;
  /** A verified blob, or one that is on its way. */
  readonly blob: string | ArrivingBlob;
  readonly limits: Limits;
  /**
   * Where the index goes. Whoever sent the job gives it its name if the job is done and the blob is verified, and
   * removes it otherwise.
   */
  readonly temporaryPath: string;
}

/** What it answers; the index itself is in the file. */
export interface ScanJobResult extends ScanFacts {
  readonly entries: number;
}

/** Compressed bytes read so far. */
export type ScanJobProgress = number;

export type ScanPool = WorkerPool<ScanJob, ScanJobResult, ScanJobProgress>;
