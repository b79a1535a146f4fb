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

/**
 * Runs it in slices, so that the daemon goes on answering. Stops at a pause once `signal` aborts, whose reason is thrown
 * into the work too, so that it gives back what it holds. `between` is awaited at each pause and once more at the end:
 * whatever must keep up with the work, such as writing what it made.
 */
export async function runInSlices<T>(
  work: Sliced<T>,
  signal: AbortSignal,
  between?: () => Promise<void>,
): Promise<T> {
  try {
    for (;;) {
      signal.throwIfAborted();
      const step = runSlice(work);
      await between?.();
      if (step.done === true) return step.value;
      await nextTurn();
    }
  } catch (error) {
    // Where the work threw itself it is over already, and this throws the same again.
    work.throw(error);
    throw error;
  }
}

function runSlice<T>(work: Sliced<T>): IteratorResult<undefined, T> {
  const until = performance.now() + sliceMs;
  for (;;) {
    const step = work.next();
    if (step.done === true || performance.now() >= until) return step;
  }
}
