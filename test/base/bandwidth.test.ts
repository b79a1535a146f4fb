import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BandwidthLimit, paced } from "../../src/base/bandwidth.ts";
import { asBangerError, BangerError, hasReason } from "../../src/base/error.ts";
import type { Clock } from "../../src/base/retry.ts";
import { recordingClock } from "./recording-clock.ts";

const never = new AbortController().signal;
const KiB = 1024;

/** A clock that stands still until it is moved on, and wakes who slept that long. */
class SteppedClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  get sleepers(): number {
    return this.#sleepers.size;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { until: this.#now + ms, wake: resolve };
    this.#sleepers.add(sleeper);
    signal.addEventListener("abort", () => reject(asBangerError(signal.reason, "sleep")));
    try {
      await promise;
    } finally {
      this.#sleepers.delete(sleeper);
    }
  }

  async advance(ms: number): Promise<void> {
    for (const end = this.#now + ms; ;) {
      await nextTurn();
      const first = [...this.#sleepers].toSorted((a, b) => a.until - b.until)[0];
      if (first === undefined || first.until > end) {
        this.#now = end;
        return;
      }
      this.#now = Math.max(this.#now, first.until);
      first.wake();
      await nextTurn();
    }
  }
}

/** Takes one piece after the other until the test ends, and counts the bytes. */
function stream(
  limit: BandwidthLimit,
  pieceBytes: number,
  signal: AbortSignal,
): { bytes: number; over: Promise<void> } {
  const state = { bytes: 0, over: Promise.resolve() };
  state.over = (async () => {
    while (!signal.aborted) {
      await (limit.take(pieceBytes, signal) ?? nextTurn());
      state.bytes += pieceBytes;
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return state;
}

test("bytes take as long as the rate says, and no timer is left", async () => {
  const clock = recordingClock();
  const started = clock.now();
  const limit = new BandwidthLimit(100 * KiB, clock);
  for (let piece = 0; piece < 100; piece++) await limit.take(64 * KiB, never);
  const seconds = (clock.now() - started) / 1000;
  // 6,400 KiB at 100 KiB/s, less the bucketful that it began with, and a sleep's rounding.
  assert.ok(seconds >= 63.7 && seconds <= 65, String(seconds));
  assert.ok(
    clock.pauses.every((ms) => ms >= 10),
    "no sleep is shorter than a timer is worth",
  );
});

test("without a limit nothing waits", () => {
  const limit = new BandwidthLimit(undefined, recordingClock());
  assert.equal(limit.take(1e12, never), undefined);
});

test("what was not used is kept for a quarter of a second, and no longer", async () => {
  const clock = recordingClock();
  const limit = new BandwidthLimit(400 * KiB, clock);
  await limit.take(100 * KiB, never);
  clock.advance(3_600_000);
  assert.equal(limit.take(100 * KiB, never), undefined);
  assert.notEqual(limit.take(1 * KiB, never), undefined);
});

test("streams get the same, whatever the size of their pieces", async () => {
  const clock = new SteppedClock();
  const limit = new BandwidthLimit(1024 * KiB, clock);
  const stop = new AbortController();
  const streams = [64 * KiB, 64 * KiB, 4 * KiB, 1024 * KiB].map((size) => stream(limit, size, stop.signal));
  await clock.advance(60_000);
  stop.abort(new BangerError("CANCELLED", "the test is over", { op: "test" }));
  await Promise.all(streams.map(({ over }) => over));
  const [a = 0, b = 0, small = 0, large = 0] = streams.map(({ bytes }) => bytes);
  assert.ok(Math.abs(a - b) <= 128 * KiB, `${a} and ${b}`);
  assert.ok(Math.abs(a - large) <= 2048 * KiB, `${a} and ${large}`);
  // A piece below a turn's share has one turn, as any other: it is not let in front.
  assert.ok(small <= a, `${small} and ${a}`);
  const total = a + b + small + large;
  assert.ok(total <= 60.5 * 1024 * KiB && total >= 57 * 1024 * KiB, String(total));
});

test("one who leaves makes room, and the last one's timer goes with it", async () => {
  const clock = new SteppedClock();
  const limit = new BandwidthLimit(16 * KiB, clock);
  await clock.advance(1000);
  const first = new AbortController();
  const waits = [limit.take(1600 * KiB, first.signal), limit.take(16 * KiB, never)];
  const left = assert.rejects(waits[0] ?? Promise.resolve(), (error: unknown) =>
    hasReason(error, "CANCELLED"),
  );
  first.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
  await left;
  await clock.advance(2000);
  await waits[1];
  assert.equal(clock.sleepers, 0);

  const last = new AbortController();
  const wait = assert.rejects(limit.take(1600 * KiB, last.signal) ?? Promise.resolve(), BangerError);
  assert.equal(clock.sleepers, 1);
  last.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
  await wait;
  await nextTurn();
  assert.equal(clock.sleepers, 0);
});

test("a signal that is aborted already is heard", async () => {
  const limit = new BandwidthLimit(16 * KiB, new SteppedClock());
  const aborted = AbortSignal.abort(new BangerError("SHUTTING_DOWN", "bye", { op: "test" }));
  await assert.rejects(limit.take(1600 * KiB, aborted) ?? Promise.resolve(), (error: unknown) =>
    hasReason(error, "SHUTTING_DOWN"),
  );
});

test("a new rate counts for those who wait, and none lets all go", async () => {
  const clock = new SteppedClock();
  const limit = new BandwidthLimit(1 * KiB, clock);
  let done = 0;
  const count = (): void => void done++;
  const waits = [1, 2].map(() => (limit.take(512 * KiB, never) ?? Promise.resolve()).then(count));
  await clock.advance(1000);
  assert.equal(done, 0);
  limit.set(1024 * KiB);
  await clock.advance(1100);
  assert.equal(done, 2);
  await Promise.all(waits);

  limit.set(1 * KiB);
  const wait = limit.take(1e9, never);
  limit.set(undefined);
  await wait;
  await nextTurn();
  assert.equal(clock.sleepers, 0);
});

test("what goes while there is no limit is not owed to a later one", async () => {
  const clock = new SteppedClock();
  const limit = new BandwidthLimit(1 * KiB, clock);
  const lifted = limit.take(1e9, never);
  limit.set(undefined);
  await lifted;
  limit.set(16 * KiB);
  let done = false;
  const wait = (limit.take(64 * KiB, never) ?? Promise.resolve()).then(() => (done = true));
  await clock.advance(4100);
  assert.ok(done);
  await wait;
});

test("a clock that is set back or forward neither stops nor floods", async () => {
  const clock = recordingClock();
  const limit = new BandwidthLimit(100 * KiB, clock);
  await limit.take(64 * KiB, never);
  clock.advance(-86_400_000);
  await limit.take(64 * KiB, never);
  clock.advance(86_400_000);
  const before = clock.now();
  await limit.take(1000 * KiB, never);
  assert.ok(clock.now() - before >= 9000);
});

test("too little is refused", () => {
  for (const rate of [0, -1, 1023, Number.NaN]) {
    assert.throws(
      () => new BandwidthLimit(rate),
      (error: unknown) => hasReason(error, "OPTION_INVALID"),
    );
  }
});

test("a paced body is the body", async () => {
  const limit = new BandwidthLimit(64 * KiB, recordingClock());
  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < 20; at++) yield Buffer.alloc(64 * KiB, at);
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of paced(body(), limit, never)) pieces.push(piece);
  assert.deepEqual(
    pieces.map((piece) => piece[0]),
    [...Array.from({ length: 20 }).keys()],
  );
});
