import type { BangerError } from "../base/error.ts";
import type { PullState } from "../store/records.ts";
import type { PullEvent } from "./events.ts";
import type { StageSpan } from "./stage-clock.ts";

/** A pull that begins. */
export interface BegunPull {
  readonly id: string;
  readonly reference: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** A pull that has ended. */
export interface EndedPull extends BegunPull {
  /** `joined` where another pull turned out to do the same, and does this one's work too. */
  readonly outcome: Exclude<PullState, "waiting" | "running"> | "joined";
  readonly endedAt: number;
  readonly name: string;
  readonly failure: BangerError | undefined;
  readonly stages: readonly StageSpan[];
}

/**
 * Hears of every pull of a daemon: what logs, figures and traces are made of. Called while the pull goes on, so that
 * each call is short, and never throws. No credential is in what it is told.
 */
export interface PullObserver {
  begun(pull: BegunPull): void;
  /** Each event as it is said, progress as often as the work makes any. */
  said(event: PullEvent): void;
  ended(pull: EndedPull): void;
}
