import type { StageTime } from "../store/records.ts";
import { stages, type Stage } from "./events.ts";

/** A stage, from its first part's begin to its last one's end, in milliseconds since 1970. */
export interface StageSpan {
  readonly stage: Stage;
  readonly begin: number;
  readonly end: number;
}

/** One part of a stage that is under way. */
export interface StagePart {
  /** Ends it, and tells what it took in milliseconds; again, and it took longer. */
  readonly end: () => number;
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
    const part = this.begin(stage);
    try {
      const value = await work();
      return { value, durationMs: part.end() };
    } finally {
      part.end();
    }
  }

  /** Begins one part of a stage, which counts once it ends. */
  begin(stage: Stage): StagePart {
    const begin = this.#now();
    return {
      end: () => {
        const end = this.#now();
        const span = this.#spans.get(stage) ?? { begin, end };
        this.#spans.set(stage, { begin: Math.min(span.begin, begin), end: Math.max(span.end, end) });
        return end - begin;
      },
    };
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
