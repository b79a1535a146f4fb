import type { Limits } from "../../base/limits.ts";
import type { WorkerPool } from "../../base/workers.ts";
import type { LayerBlob } from "../../layers/root-tree.ts";
import { BangerError, asBangerError } from "../../base/error.ts";
import type { StageJob, StageProgress } from "./stage-worker.ts";
import type { StagingPlan } from "./staging-plan.ts";

export interface StageContext {
  /** An empty folder, 0700 and the caller's own. */
  readonly root: string;
  readonly layers: readonly LayerBlob[];
  readonly limits: Limits;
  readonly pool: WorkerPool<StageJob, null, StageProgress>;
  readonly signal: AbortSignal;
  /** Bytes of content written so far, of all layers together. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Fills the staging folder. Layers with live content are inflated once each, several at a time; where each file
 * goes follows from the plan alone, so the order in which they finish does not matter.
 */
export async function stageTree(plan: StagingPlan, context: StageContext): Promise<void> {
  const { root, pool, signal, limits } = context;
  const { directories } = plan;
  await pool.run({ kind: "directories", root, directories }, { signal });
  let bytes = 0;
  const onProgress = (more: StageProgress): void => {
    bytes += more;
    context.onBytes(bytes);
  };
  // The longest first, so that no thread is left with it alone at the end.
  const layers = [...plan.layerFiles].sort(([, a], [, b]) => streamEnd(b) - streamEnd(a));
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const jobs = layers.map(([number, files]) => {
    const blob = context.layers[number];
    if (blob === undefined) {
      throw new BangerError("INTERNAL", `the tree refers to layer ${number}, which is not there`, {
        op: "stage files",
      });
    }
    const { path, digest: layer, diffId } = blob;
    const job = { kind: "layer", root, blob: path, layer, diffId, files, limits } as const;
    return pool.run(job, { signal: either, onProgress });
  });
  await allOrFirstFailure(jobs, stop);
  const { emptyFiles, links, symlinks } = plan;
  await pool.run({ kind: "rest", root, emptyFiles, links, symlinks, directories }, { signal });
}

function streamEnd(files: readonly { readonly offset: number; readonly storedBytes: number }[]): number {
  const last = files.at(-1);
  return last === undefined ? 0 : last.offset + last.storedBytes;
}

/** The first failure stops the others, and is reported once none of them writes any more. */
async function allOrFirstFailure(jobs: readonly Promise<unknown>[], stop: AbortController): Promise<void> {
  let failure: unknown;
  const watched = jobs.map(async (job) => {
    try {
      await job;
    } catch (error) {
      failure ??= error;
      stop.abort(error);
    }
  });
  await Promise.all(watched);
  if (failure !== undefined) throw asBangerError(failure, "stage files");
}
