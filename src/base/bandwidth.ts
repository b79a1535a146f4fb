import { BangerError, asBangerError } from "./error.ts";
import { systemClock, type Clock } from "./retry.ts";

/** Bytes that a stream gets before it is another's turn: a quarter of the pieces that sockets are read in. */
const quantum = 16 * 1024;

/** Seconds that unused bandwidth is kept for: enough to even out timers, too little for a burst that others notice. */
const burstSeconds = 0.25;

/** Shortest sleep, in milliseconds: at high rates several turns' worth gathers in it. */
const shortestSleepMs = 10;

/** Bytes a second below which a registry would take us for dead. */
const leastBandwidth = 1024;

interface Turn {
  left: number;
  readonly done: () => void;
}

/**
 * A token bucket that all downloads of a daemon share. Streams that wait are served in turns of 16 KiB, so that each
 * gets the same, however large the pieces it asks for. There is one timer while somebody waits, and none otherwise.
 */
export class BandwidthLimit {
  readonly #clock: Clock;
  #bytesPerSecond: number | undefined;
  #tokens = 0;
  #filledAt = 0;
  /** Waiting streams, the next to be served first. */
  readonly #queue: Turn[] = [];
  #sleep: AbortController | undefined;

  /** @param bytesPerSecond undefined for no limit */
  constructor(bytesPerSecond: number | undefined, clock: Clock = systemClock) {
    this.#clock = clock;
    this.set(bytesPerSecond);
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond;
  }

  /**
   * Changes the rate, for those who wait already too.
   *
   * @throws BangerError OPTION_INVALID below `leastBandwidth`
   */
  set(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond !== undefined && !(bytesPerSecond >= leastBandwidth)) {
      throw new BangerError(
        "OPTION_INVALID",
        `a bandwidth of ${bytesPerSecond} bytes a second is too little`,
        {
          op: "set bandwidth",
          hint: `Give at least ${leastBandwidth} bytes a second, or no limit.`,
        },
      );
    }
    this.#refill();
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = Math.min(this.#tokens, this.#capacity());
    // It sleeps as long as the old rate took.
    this.#sleep?.abort();
    this.#serve();
  }

  /**
   * Waits until that many bytes may be taken; undefined where they may at once.
   *
   * The promise rejects with CANCELLED, or the signal's reason, as soon as it aborts.
   */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.#bytesPerSecond === undefined || bytes <= 0) return undefined;
    this.#refill();
    if (this.#queue.length === 0 && this.#tokens >= bytes) {
      this.#tokens -= bytes;
      return undefined;
    }
    return this.#wait(bytes, signal);
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw asBangerError(signal.reason, "wait for bandwidth");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn: Turn = { left: bytes, done: resolve };
    const onAbort = (): void => reject(asBangerError(signal.reason, "wait for bandwidth"));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#queue.push(turn);
    this.#serve();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#leave(turn);
    }
  }

  #leave(turn: Turn): void {
    const at = this.#queue.indexOf(turn);
    if (at >= 0) this.#queue.splice(at, 1);
    if (this.#queue.length === 0) this.#sleep?.abort();
  }

  /** Gives out what there is, in turns, and sees to it that somebody comes back for the rest. */
  #serve(): void {
    this.#refill();
    for (let turn = this.#queue[0]; turn !== undefined; turn = this.#queue[0]) {
      const unlimited = this.#bytesPerSecond === undefined;
      const share = unlimited ? turn.left : Math.min(quantum, turn.left);
      if (!unlimited && this.#tokens < share) break;
      this.#queue.shift();
      // What flows without a limit is no debt for a later one.
      if (!unlimited) this.#tokens -= share;
      turn.left -= share;
      if (turn.left > 0) this.#queue.push(turn);
      else turn.done();
    }
    if (this.#queue.length > 0 && this.#sleep === undefined) void this.#serveLater();
  }

  async #serveLater(): Promise<void> {
    const sleep = new AbortController();
    this.#sleep = sleep;
    try {
      await this.#clock.sleep(this.#shortageMs(), sleep.signal);
    } catch (error) {
      // Woken because the rate changed or all have left: whatever holds now is looked at below.
      if (!sleep.signal.aborted) throw error;
    }
    this.#sleep = undefined;
    this.#serve();
  }

  #shortageMs(): number {
    const share = Math.min(quantum, this.#queue[0]?.left ?? quantum);
    const rate = this.#bytesPerSecond ?? Number.POSITIVE_INFINITY;
    return Math.max(shortestSleepMs, Math.ceil(((share - this.#tokens) * 1000) / rate));
  }

  #refill(): void {
    const now = this.#clock.now();
    // A clock that is set back gives nothing, and one that is set forward a bucketful.
    const seconds = Math.max(0, now - this.#filledAt) / 1000;
    this.#filledAt = now;
    if (this.#bytesPerSecond === undefined) return;
    this.#tokens = Math.min(this.#capacity(), this.#tokens + seconds * this.#bytesPerSecond);
  }

  #capacity(): number {
    return this.#bytesPerSecond === undefined ? 0 : Math.max(quantum, this.#bytesPerSecond * burstSeconds);
  }
}

/**
 * A body at the pace of the limit. The waits are between the body's pieces: whoever measures how long a server takes
 * for one does not see them.
 */
export async function* paced(
  body: AsyncIterable<Uint8Array>,
  limit: BandwidthLimit,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of body) {
    const wait = limit.take(piece.length, signal);
    if (wait !== undefined) await wait;
    yield piece;
  }
}
