import { setTimeout as delay } from "node:timers/promises";
import { asBangerError } from "./error.ts";

/** Time and chance, so that a test can run through a minute of retries in no time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Rejects with CANCELLED as soon as the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1, as `Math.random`. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      throw asBangerError(signal.aborted ? signal.reason : error, "wait");
    }
  },
};

const firstPauseMs = 250;
const longestPauseMs = 10_000;

/**
 * How long to wait after the `failures`th failure in a row, in milliseconds: doubling from 250 to 10,000, of which
 * half is left to chance, so that many clients don't come back at the same moment.
 */
export function backoffMs(failures: number, clock: Clock): number {
  const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1));
  return Math.round(pause / 2 + (pause / 2) * clock.random());
}
