import { asBangerError } from "./error.ts";

/**
 * What becomes of a promise, unless the signal aborts first. The work behind it goes on; no listener is left behind.
 *
 * @throws BangerError the signal's reason, or CANCELLED where that is none; and what the promise rejects with
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, op: string): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(asBangerError(signal.reason, op));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
