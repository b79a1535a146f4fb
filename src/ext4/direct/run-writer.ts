import { BangerError } from "../../base/error.ts";
import { runAt, runCount, type ContentRun, type PackedRuns } from "./content-runs.ts";
import type { GatheredWrites } from "./gathered-writes.ts";

/** Picks the live contents of one layer out of its inflated stream, and puts each where it belongs. */
export class RunWriter {
  readonly #runs: PackedRuns;
  readonly #out: GatheredWrites;
  /** The run that is being written, or comes next, and its index. */
  #run: ContentRun | undefined;
  #index = 0;
  #position = 0;
  /** Bytes of content so far, not all of which may be written yet. */
  takenBytes = 0;

  constructor(runs: PackedRuns, out: GatheredWrites) {
    this.#runs = runs;
    this.#out = out;
    this.#run = runCount(runs) > 0 ? runAt(runs, 0) : undefined;
  }

  /** Takes the next bytes of the stream; those after the last run are nobody's. */
  take(piece: Buffer): void {
    const start = this.#position;
    const end = start + piece.length;
    this.#position = end;
    for (let run = this.#run; run !== undefined && run.source < end; run = this.#run) {
      const from = Math.max(run.source, start);
      const to = Math.min(run.source + run.bytes, end);
      this.#out.put(piece, run.target + (from - run.source), from - start, to - start);
      this.takenBytes += to - from;
      if (to < run.source + run.bytes) return;
      this.#next(run);
    }
  }

  #next(last: ContentRun): void {
    this.#index += 1;
    if (this.#index === runCount(this.#runs)) {
      this.#run = undefined;
      return;
    }
    this.#run = runAt(this.#runs, this.#index);
    if (this.#run.source >= last.source + last.bytes) return;
    throw new BangerError("INTERNAL", `run ${this.#index} of a layer begins before the last one ends`, {
      op: "write contents",
    });
  }

  /** Writes what is still gathered. @throws BangerError LAYER_INVALID where the stream ended before its last run. */
  end(): void {
    this.#out.flush();
    if (this.#run === undefined) return;
    const what = `the layer ends at ${this.#position}, before the content that begins at ${this.#run.source}`;
    throw new BangerError("LAYER_INVALID", what, {
      op: "write contents",
      hint: "Remove the blob from the cache and pull again: it is not what was scanned.",
    });
  }
}
