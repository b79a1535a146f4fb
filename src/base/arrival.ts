/** A file on its way, for those who read along. Nobody has verified anything of it yet. */
export interface ArrivingFile {
  /** Where it is for now: once it is whole, or given up, it has another name or none. */
  readonly path: string;
  /** Bytes that it will have. */
  readonly bytes: number;
  /** How many of them may be read: see `Arrival`. */
  readonly arrival: SharedArrayBuffer;
  /** Aborts when what was read counts for nothing: it begins anew, or never becomes whole. */
  readonly signal: AbortSignal;
}

/**
 * How far a file that is still being written may be read: a count of bytes that only grows, in memory that threads
 * share. The writer's end; what it gives others is `memory`.
 */
export class Arrival {
  readonly memory = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
  readonly #count = new BigInt64Array(this.memory);

  /** The first `bytes` bytes are the file's: whoever waits for them goes on. */
  advance(bytes: number): void {
    Atomics.store(this.#count, 0, BigInt(bytes));
    Atomics.notify(this.#count, 0);
  }
}

/**
 * Waits, without blocking the thread, until the first `bytes` bytes of the file may be read. It waits for as long as
 * the writer takes, and for ever where the writer gave up: who waits is told that by other means.
 */
export async function untilArrived(memory: SharedArrayBuffer, bytes: number): Promise<void> {
  const count = new BigInt64Array(memory);
  for (;;) {
    const seen = Atomics.load(count, 0);
    if (seen >= BigInt(bytes)) return;
    const wait = Atomics.waitAsync(count, 0, seen);
    if (wait.async) await wait.value;
  }
}
