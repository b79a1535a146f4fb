import type { RootTree } from "../../layers/root-tree.ts";
import type { PackedRuns } from "./content-runs.ts";
import type { MetadataPlan } from "./metadata-plan.ts";

/** What decides every byte of the file system's metadata, and where contents lie. */
export interface PlanInput {
  readonly tree: RootTree;
  /** How many layers the tree was made of: `Content.layer` stays below. */
  readonly layerCount: number;
  /** As of BuildInput. */
  readonly sizeBytes: number | undefined;
  readonly uuid: string;
  readonly hashSeed: string;
}

/** The whole file system before a byte of it is written. It refers to the tree, and owns the rest. */
export interface LayoutPlan {
  /** Of the file: it must have this length, and read as zeros wherever neither contents nor metadata are written. */
  readonly sizeBytes: number;
  /** Of file content, holes left out: the sum of all runs. */
  readonly contentBytes: number;
  /**
   * By layer: where its live contents go. Files of one layer follow one another on disk in the order of the stream,
   * each beginning at a block: between two of them lie the zeros that fill the first one's last block, and now and
   * then a group's own metadata. Holds an empty list for a layer with no live content. The metadata pass has no use
   * for it: a worker may take the buffers away.
   */
  readonly runsByLayer: readonly PackedRuns[];
  /** For `writeMetadata` alone. */
  readonly metadata: MetadataPlan;
}
