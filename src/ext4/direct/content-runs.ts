/** A stretch of the target that file bytes go to: contents of one file, contiguous on both sides. All in bytes. */
export interface ContentRun {
  /** Offset in the layer's inflated stream. */
  readonly source: number;
  /** Offset in the image file. */
  readonly target: number;
  readonly bytes: number;
}

/** Numbers that one run takes in a packed list. */
export const numbersPerRun = 3;

/**
 * The runs of one layer, packed: `source, target, bytes`, then the next run's. Ascending by `source`, none overlapping
 * another, none empty. 24 bytes a run instead of an object, as an image may have a million files, and the buffer is
 * its own, so that it can be transferred to a worker. Offsets stay below 2^53.
 */
export type PackedRuns = Float64Array<ArrayBuffer>;

export function runCount(runs: PackedRuns): number {
  return runs.length / numbersPerRun;
}

/** @throws RangeError past the end. */
export function runAt(runs: PackedRuns, index: number): ContentRun {
  const at = index * numbersPerRun;
  const [source, target, bytes] = [runs[at], runs[at + 1], runs[at + 2]];
  if (source === undefined || target === undefined || bytes === undefined) {
    throw new RangeError(`there is no run ${index} of ${runCount(runs)}`);
  }
  return { source, target, bytes };
}

/** How many bytes of the stream must be inflated for the runs' sake: where the last one ends. */
export function sourceEnd(runs: PackedRuns): number {
  if (runs.length === 0) return 0;
  const { source, bytes } = runAt(runs, runCount(runs) - 1);
  return source + bytes;
}
