import type { Limits } from "../base/limits.ts";
import type { LayerBlob } from "./root-tree.ts";
import type { ScanFacts } from "./scan-layer.ts";

/** What a scanning thread is sent. */
export interface ScanJob {
  readonly blob: LayerBlob;
  readonly limits: Limits;
  /** Where the index goes, in one step, once it is whole. */
  readonly indexPath: string;
  /** What it is called until then, in the same folder; whoever sent the job removes it if the job fails. */
  readonly temporaryPath: string;
}

/** What it answers; the index itself is at `indexPath`. */
export interface ScanJobResult extends ScanFacts {
  readonly entries: number;
}

/** Compressed bytes read so far. */
export type ScanJobProgress = number;
