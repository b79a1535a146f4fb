import { BangerError } from "../base/error.ts";
import { exitCodes } from "./exit-code.ts";

/** Ctrl-C and its kin as a signal that calls obey. Dispose of it when the work is done. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
  /** Ends the calls as Ctrl-C would. */
  leave(): void;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP aborts the signal, so that the daemon hears of it and a terminal is put in
 * order; a second one ends the process at once.
 */
export function watchInterrupts(): Interrupt {
  const controller = new AbortController();
  const leave = (): void =>
    controller.abort(new BangerError("CANCELLED", "interrupted", { op: "wait", hint: "" }));
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    leave();
  };
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    leave,
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
