import type { StageTime } from "../store/records.ts";
import { stages, type Stage } from "./events.ts";

/** A stage, from its first part's begin to its last one's end, in milliseconds since 1970. */
export interface StageSpan {
  readonly stage: Stage;
  readonly begin: number;
  readonly end: number;
}

/**
 * How long each stage took, from when its first part began to when its last one ended: stages may overlap, and a
 * stage may be entered many times (a scan for each layer).
 */
export class StageClock {
  readonly #now: () => number;
  readonly #today: () => number;
  readonly #spans = new Map<Stage, { begin: number; end: number }>();

  constructor(now: () => number = () => performance.now(), today: () => number = Date.now) {
    this.#now = now;
    this.#today = today;
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

  /** The same with their places in time. */
  spans(): readonly StageSpan[] {
    // Of the clock that measures, which unlike the day's is never set.
    const offset = this.#today() - this.#now();
    return stages.flatMap((stage) => {
      const span = this.#spans.get(stage);
      return span === undefined ? [] : [{ stage, begin: span.begin + offset, end: span.end + offset }];
    });
  }
}
