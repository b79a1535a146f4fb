import { BangerError, asBangerError, hasReason } from "../base/error.ts";
import { wordsFor } from "./call-words.ts";
import { formatDuration } from "./render/units.ts";

const restart =
  "See whether it is stopped or stuck, with `systemctl status bangerd` or `ps`, and restart it: what was downloaded is kept, what was half built is not.";

/** It took the connection, as the kernel does for a process that is stopped, and sent nothing. */
export function daemonSilent(daemon: string, method: string, waitedMs: number, cause: Error): BangerError {
  const { does } = wordsFor(method);
  const message = `${daemon} takes connections but does not answer: it was to ${does}, and sent nothing for ${formatDuration(waitedMs)}`;
  return new BangerError("DAEMON_UNREACHABLE", message, { op: method, cause, hint: restart });
}

/** It is there, and does not get on with the call. */
export function daemonSlow(daemon: string, method: string, waitedMs: number, cause: Error): BangerError {
  const { does } = wordsFor(method);
  const message = `${daemon} did not ${does} within ${formatDuration(waitedMs)}`;
  return new BangerError("TIMED_OUT", message, {
    op: method,
    cause,
    hint: "See its log, as with `journalctl -u bangerd`, and `banger daemon status`; restart it if it is stuck.",
  });
}

/** Somebody pressed Ctrl-C while the call was under way: what it was, and whether there is something to look after. */
export function interruptedCall(signal: AbortSignal, daemon: string, method: string): BangerError {
  const reason = asBangerError(signal.reason, method);
  if (!hasReason(reason, "CANCELLED")) return reason;
  const { does, interrupted } = wordsFor(method);
  return new BangerError("CANCELLED", `interrupted while waiting for ${daemon} to ${does}`, {
    op: method,
    cause: reason,
    hint: interrupted,
  });
}
