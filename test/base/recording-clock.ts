import { asBangerError } from "../../src/base/error.ts";
import type { Clock } from "../../src/base/retry.ts";

/** A clock whose pauses take no time: they move `now` on, and are listed. */
export interface RecordingClock extends Clock {
  /** Milliseconds of every pause. */
  readonly pauses: number[];
  /** Moves `now` on. */
  advance(ms: number): void;
}

export function recordingClock(start = Date.parse("2026-01-02T03:04:05Z")): RecordingClock {
  let time = start;
  const pauses: number[] = [];
  return {
    pauses,
    now: () => time,
    random: () => 0.5,
    advance: (ms) => {
      time += ms;
    },
    sleep: async (ms, signal) => {
      if (signal.aborted) throw asBangerError(signal.reason, "wait");
      pauses.push(ms);
      time += ms;
    },
  };
}
