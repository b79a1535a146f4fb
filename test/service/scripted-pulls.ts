import { BangerError } from "../../src/base/error.ts";
import type { PullEvent, PullEventBody } from "../../src/pull/events.ts";
import type { Pulls, ResolvedPull } from "../../src/pull/jobs.ts";
import type { PullSubscription } from "../../src/pull/subscription.ts";
import type { PullRequest } from "../../src/pull/request.ts";
import type { PullRecord } from "../../src/store/records.ts";
import type { ResumablePull } from "../../src/store/store.ts";
import { pullRecord } from "../store/records.ts";

/** Events that a pull gives, and how it ends: an error, or `forever` until its watcher leaves or all is stopped. */
export interface Script {
  readonly bodies: readonly PullEventBody[];
  readonly end?: BangerError | "forever";
}

/** Pulls that do what a test says and remember what was asked of them. */
export class ScriptedPulls implements Pulls {
  script: Script = { bodies: [] };
  resolved: ResolvedPull | undefined;
  readonly requests: PullRequest[] = [];
  readonly cancelled: string[] = [];
  readonly resumed: string[] = [];
  watching = 0;
  left = 0;
  stopped = false;
  readonly #stop = new AbortController();

  async pull(request: PullRequest): Promise<PullSubscription> {
    this.requests.push(request);
    return this.#subscribe("p1");
  }

  async resume(pulls: readonly ResumablePull[]): Promise<void> {
    this.resumed.push(...pulls.map(({ record }) => record.id));
  }

  async watch(pullId: string): Promise<PullSubscription> {
    if (pullId === "p1") return this.#subscribe(pullId);
    throw new BangerError("PULL_UNKNOWN", `there is no pull ${pullId}`, { op: "find pull" });
  }

  async cancel(pullId: string): Promise<PullRecord> {
    this.cancelled.push(pullId);
    return pullRecord({ id: pullId, state: "cancelled", failureReason: "CANCELLED" });
  }

  async resolve(request: PullRequest): Promise<ResolvedPull> {
    this.requests.push(request);
    if (this.resolved !== undefined) return this.resolved;
    throw new BangerError("MANIFEST_UNKNOWN", "no such tag", { op: "resolve", facts: { httpStatus: "404" } });
  }

  current(record: PullRecord): PullRecord {
    return record;
  }

  watcherCount(): number {
    return this.watching;
  }

  activeCount(): number {
    return 2;
  }

  waitingCount(): number {
    return 1;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.#stop.abort();
  }

  #subscribe(pullId: string): PullSubscription {
    this.watching++;
    const leave = new AbortController();
    const ends = AbortSignal.any([leave.signal, this.#stop.signal]);
    return {
      pullId,
      events: play(pullId, this.script, ends, this.#stop.signal),
      [Symbol.dispose]: () => {
        if (leave.signal.aborted) return;
        leave.abort();
        this.watching--;
        this.left++;
      },
    };
  }
}

async function* play(
  pullId: string,
  { bodies, end }: Script,
  ends: AbortSignal,
  stopped: AbortSignal,
): AsyncGenerator<PullEvent> {
  let sequence = 0;
  for (const body of bodies)
    yield { pullId, sequence: ++sequence, time: 1_700_000_000_000, stage: "resolve", body };
  if (end instanceof BangerError) throw end;
  if (end === "forever" && !ends.aborted) {
    await new Promise((resolve) => ends.addEventListener("abort", resolve, { once: true }));
  }
  if (stopped.aborted) throw new BangerError("SHUTTING_DOWN", "the daemon is stopping", { op: "pull" });
}
