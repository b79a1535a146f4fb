import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * A long computation that says, by yielding, where it may pause. It stays a pure function of its inputs; who
 * drives it chooses between running it through and sharing the event loop.
 */
export type Sliced<T> = Generator<undefined, T, undefined>;

/** How long one slice may hold the event loop, in milliseconds: a tenth of what a person notices. */
const sliceMs = 10;

/** Runs it through without a pause. */
export function runThrough<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Runs it in slices, so that the daemon goes on answering. Stops at a pause once `signal` aborts. */
export async function runInSlices<T>(work: Sliced<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const until = performance.now() + sliceMs;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < until);
    await nextTurn();
  }
}
