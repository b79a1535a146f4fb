import { BangerError, asBangerError } from "../base/error.ts";
import { untilAborted } from "../base/until-aborted.ts";

/** Those who wait for one piece of work. */
export interface Crew<W> {
  has(waiter: W): boolean;
  /** The one who waits longest; undefined once all have left. */
  first(): W | undefined;
  all(): Iterable<W>;
}

interface Flight<W, T> {
  readonly waiters: Set<W>;
  readonly controller: AbortController;
  readonly result: Promise<T>;
  /** Fulfilled when the work is over, however it ended. */
  readonly over: Promise<void>;
  isOver: boolean;
}

/**
 * Work that several callers want at the same time is done once, for all of them. A caller that leaves does not
 * disturb the others; when the last leaves, the work is aborted, and that caller waits until it has stopped.
 */
export class SingleFlight<K, W, T> {
  readonly #flights = new Map<K, Flight<W, T>>();

  async join(
    key: K,
    waiter: W,
    signal: AbortSignal,
    work: (crew: Crew<W>, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    // One that all have left is on its way down: the next starts when it has landed.
    for (let down = this.#flights.get(key); down?.controller.signal.aborted === true;) {
      await down.over;
      down = this.#flights.get(key);
    }
    if (signal.aborted) throw asBangerError(signal.reason, "wait");
    const flight = this.#flights.get(key) ?? this.#start(key, waiter, work);
    flight.waiters.add(waiter);
    try {
      return await untilAborted(flight.result, signal, "wait");
    } finally {
      flight.waiters.delete(waiter);
      if (flight.waiters.size === 0 && !flight.isOver) {
        flight.controller.abort(new BangerError("CANCELLED", "nobody waits any more", { op: "wait" }));
        await flight.over;
      }
    }
  }

  #start(key: K, first: W, work: (crew: Crew<W>, signal: AbortSignal) => Promise<T>): Flight<W, T> {
    const waiters = new Set<W>([first]);
    const controller = new AbortController();
    const crew: Crew<W> = {
      has: (waiter) => waiters.has(waiter),
      first: () => waiters.values().next().value,
      all: () => waiters,
    };
    const result = work(crew, controller.signal);
    const land = (): void => {
      flight.isOver = true;
      this.#flights.delete(key);
    };
    const flight: Flight<W, T> = {
      waiters,
      controller,
      result,
      over: result.then(land, land),
      isOver: false,
    };
    this.#flights.set(key, flight);
    return flight;
  }
}
