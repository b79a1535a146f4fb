import type { PullEvent, PullEventBody } from "../pull/events.ts";
import type { EndedPull, PullObserver } from "../pull/observer.ts";
import type { Log, LogFacts } from "./log.ts";

/** Logs every pull, its id in each line: its begin and end for all, its milestones for who looks closer. */
export function pullLog(log: Log): PullObserver {
  return {
    begun: ({ id, reference }) => log.info("pull begins", { pull: id, reference }),
    said: (event) => logEvent(log, event),
    ended: (pull) => logEnd(log, pull),
  };
}

function logEvent(log: Log, { pullId: pull, stage, body }: PullEvent): void {
  const { kind } = body;
  if (kind === "layerProgress" || kind === "stageProgress") return;
  if (kind === "retrying") {
    const { subject, attempt, delayMs, why } = body;
    return log.warn("pull tries again", { pull, stage, subject, attempt, delayMs: Math.round(delayMs), why });
  }
  log.debug(`pull ${kind}`, { pull, stage, ...factsOf(body) });
}

/** What of a milestone fits a line: what is long is in the image's record. */
function factsOf(body: PullEventBody): LogFacts {
  const facts = Object.entries(body).flatMap(
    ([name, value]): (readonly [string, string | number | boolean])[] => {
      if (name === "kind") return [];
      if (name.endsWith("igest") && typeof value === "string")
        return [[name, value.replace(/^.*:/, "").slice(0, 12)]];
      if (typeof value === "number") return [[name, Math.round(value)]];
      return typeof value === "string" || typeof value === "boolean" ? [[name, value]] : [];
    },
  );
  return Object.fromEntries(facts);
}

function logEnd(log: Log, { id: pull, outcome, startedAt, endedAt, name, failure }: EndedPull): void {
  const durationMs = endedAt - startedAt;
  if (failure === undefined) return log.info(`pull ${outcome}`, { pull, name, durationMs });
  const { reason, message, hint, op } = failure;
  const facts = { pull, name, durationMs, reason, op, error: message, hint };
  if (outcome === "cancelled") return log.info("pull cancelled", facts);
  // What no user can do anything about is the operator's to look at.
  if (reason === "INTERNAL" || reason === "STORE_FAILED")
    return log.error("pull failed", { ...facts, causes: causesOf(failure) });
  log.warn("pull failed", facts);
}

/** The messages of what is behind an error, nearest first; a chain that bites its tail is cut. */
function causesOf(error: Error): readonly string[] {
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 8; cause = cause.cause) {
    causes.push(`${cause.name}: ${cause.message}`);
  }
  return causes;
}
