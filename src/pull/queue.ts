import { asBangerError, type BangerError } from "../base/error.ts";

interface Waiter {
  readonly enter: () => void;
  readonly moved: (position: number) => void;
}

/** Lets a bounded number in at once, first come first served, and tells those outside where they stand. */
export class TurnQueue {
  #places: number;
  /** Below zero while more are in than there are places now. */
  #free: number;
  readonly #waiting: Waiter[] = [];

  constructor(places: number) {
    this.#places = places;
    this.#free = places;
  }

  /** From now on that many may be in. More let some in at once; of fewer, nobody has to leave. */
  resize(places: number): void {
    this.#free += places - this.#places;
    this.#places = places;
    this.#letIn();
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves once there is a place, with what gives it back; twice is harmless. `onPosition` is called with 1 for the
   * next one to enter, at once and whenever it changes; never for one who needn't wait.
   *
   * @throws the signal's reason where it aborts first.
   */
  async enter(signal: AbortSignal, onPosition: (position: number) => void = () => {}): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return this.#turn();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { enter: resolve, moved: onPosition };
    const aborted = (): BangerError => asBangerError(signal.reason, "wait for a turn");
    const abort = (): void => {
      const at = this.#waiting.indexOf(waiter);
      // It was let in before, and goes out again below.
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      this.#tellPositions();
      reject(aborted());
    };
    this.#waiting.push(waiter);
    onPosition(this.#waiting.length);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
    if (signal.aborted) {
      this.#leave();
      throw aborted();
    }
    return this.#turn();
  }

  #turn(): Disposable {
    let given = false;
    return {
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        this.#leave();
      },
    };
  }

  #leave(): void {
    this.#free++;
    this.#letIn();
  }

  /** Hands places straight on, so that nobody can slip in between. */
  #letIn(): void {
    let moved = false;
    for (; this.#free > 0; moved = true) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#free--;
      next.enter();
    }
    if (moved) this.#tellPositions();
  }

  #tellPositions(): void {
    for (const [at, waiter] of this.#waiting.entries()) waiter.moved(at + 1);
  }
}
