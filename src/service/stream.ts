import { once } from "node:events";
import { BangerError } from "../base/error.ts";
import { untilAborted } from "../base/until-aborted.ts";

/** The writing end of a grpc-js call, as far as it is needed here. */
export interface MessageWriter<O> extends NodeJS.EventEmitter {
  write(message: O): boolean;
  end(): void;
}

/** What ends a call early. */
interface CancellableCall {
  on(event: "cancelled", listener: () => void): unknown;
  readonly cancelled: boolean;
}

/**
 * Aborts when the client has left, its deadline has passed, or the connection is gone. It aborts after a call
 * that ended well too, because grpc-js says "cancelled" at the end of every call; by then nobody should listen.
 */
export function signalOf(call: CancellableCall): AbortSignal {
  const controller = new AbortController();
  const abort = (): void =>
    controller.abort(
      new BangerError("CANCELLED", "the client left, or its deadline passed", { op: "serve" }),
    );
  call.on("cancelled", abort);
  if (call.cancelled) abort();
  return controller.signal;
}

/**
 * Writes messages for as long as the client takes them: one that does not read holds back the source, and no more
 * than the stream's buffer of 16 messages is in memory. Ends the source early once the signal aborts, even where
 * it is in the middle of making a message.
 *
 * @param stallMs how long a client may take nothing, in milliseconds; for ever where it is not given
 * @throws what the source throws, the signal's reason, or TIMED_OUT. The caller ends the call.
 */
export async function writeAll<O>(
  call: MessageWriter<O>,
  messages: AsyncIterable<O>,
  signal: AbortSignal,
  stallMs?: number,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await untilAborted(iterator.next(), signal, "serve");
      if (step.done === true) return;
      // After a cancel, neither `drain` nor a write's callback need ever come.
      if (call.write(step.value)) continue;
      const drained = (until: AbortSignal): Promise<unknown> => once(call, "drain", { signal: until });
      if (stallMs === undefined) await drained(signal);
      else await withDeadline(signal, stallMs, "wait for the reader", drained);
    }
  } finally {
    leave(iterator);
  }
}

/**
 * Work that is given up after a time, and told so by its signal. It may go on where it does not listen; what comes of
 * it then is nobody's.
 *
 * @throws BangerError TIMED_OUT, the signal's reason, or what the work throws.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  deadlineMs: number,
  op: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const either = AbortSignal.any([signal, late.signal]);
  const timer = setTimeout(() => {
    const message = `${op} took longer than ${Math.round(deadlineMs / 1000)} s`;
    late.abort(new BangerError("TIMED_OUT", message, { op, facts: { seconds: String(deadlineMs / 1000) } }));
  }, deadlineMs);
  timer.unref();
  try {
    return await untilAborted(work(either), either, op);
  } finally {
    clearTimeout(timer);
  }
}

/** Not awaited: a generator that is stuck would hold the call. Its error has no one left to go to. */
function leave(iterator: AsyncIterator<unknown>): void {
  iterator.return?.().catch(() => {});
}
