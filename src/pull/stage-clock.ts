import type { StageTime } from "../store/records.ts";
import { stages, type Stage } from "./events.ts";

/**
 * How long each stage took, from when its first part began to when its last one ended: stages may overlap, and a
 * stage may be entered many times (a scan for each layer).
 */
export class StageClock {
  readonly #now: () => number;
  readonly #spans = new Map<Stage, { begin: number; end: number }>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Runs one part of a stage, and returns its result with what this part took, in milliseconds. */
  async time<T>(
    stage: Stage,
    work: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly durationMs: number }> {
    const begin = this.#now();
    const span = this.#spans.get(stage) ?? { begin, end: begin };
    this.#spans.set(stage, span);
    try {
      const value = await work();
      return { value, durationMs: this.#now() - begin };
    } finally {
      span.end = Math.max(span.end, this.#now());
    }
  }

  /** In the order of the road; stages that never began are left out. */
  times(): readonly StageTime[] {
    return stages.flatMap((stage) => {
      const span = this.#spans.get(stage);
      return span === undefined ? [] : [{ stage, durationMs: span.end - span.begin }];
    });
  }
}
