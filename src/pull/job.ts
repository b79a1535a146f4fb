import { BangerError } from "../base/error.ts";
import type { Digest } from "../base/digest.ts";
import type { PullRecord, PullState } from "../store/records.ts";
import { EventLog } from "./event-log.ts";
import type { BegunPull, EndedPull } from "./observer.ts";
import type { PullRequest } from "./request.ts";
import { StageClock } from "./stage-clock.ts";

/** One build, from its request to its end: who watches it, what it said, and how to stop it. */
export class PullJob {
  readonly id: string;
  readonly request: PullRequest;
  readonly log: EventLog;
  readonly clock = new StageClock();
  readonly startedAt: number;
  state: PullState = "running";
  endedAt: number | undefined;
  manifestDigest: Digest | undefined;
  imageId: string | undefined;
  name: string;
  failure: BangerError | undefined;
  detached: boolean;
  /** The pull that does this one's work too, once it turned out to be the same. */
  successor: PullJob | undefined;
  readonly #watchers = new Set<symbol>();
  readonly #controller = new AbortController();

  /** @param startedAt of one that goes on after a restart, when it first began */
  constructor(id: string, request: PullRequest, startedAt: number = Date.now()) {
    this.startedAt = startedAt;
    this.id = id;
    this.request = request;
    this.name = request.name ?? "";
    this.detached = request.detached;
    this.log = new EventLog(id);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  get ended(): boolean {
    return this.endedAt !== undefined;
  }

  watch(watcher: symbol): void {
    this.#watchers.add(watcher);
  }

  /** The last one to leave stops the pull, unless it was started to go on alone. */
  unwatch(watcher: symbol): void {
    if (!this.#watchers.delete(watcher) || this.#watchers.size > 0 || this.detached || this.ended) return;
    this.abort(
      new BangerError("CANCELLED", "the pull was cancelled: nobody watches it any more", { op: "pull" }),
    );
  }

  /** Idempotent; the first reason counts. */
  abort(reason: BangerError): void {
    this.#controller.abort(reason);
  }

  /** Hands watchers and their wishes over to the pull that does the same. */
  joinInto(successor: PullJob): void {
    this.successor = successor;
    for (const watcher of this.#watchers) successor.watch(watcher);
    this.#watchers.clear();
    if (this.detached) successor.detached = true;
  }

  toRecord(): PullRecord {
    return {
      id: this.id,
      reference: this.request.reference,
      name: this.name,
      state: this.state,
      startedAt: this.startedAt,
      endedAt: this.endedAt,
      manifestDigest: this.manifestDigest,
      imageId: this.imageId,
      stageTimes: this.clock.times(),
      failureReason: this.failure?.reason ?? "",
      failureMessage: this.failure?.message ?? "",
      detached: this.detached,
    };
  }
}

/** What observers hear of its begin. */
export function begunPull({ id, request, startedAt }: PullJob): BegunPull {
  return { id, reference: request.reference, startedAt };
}

/** What observers hear of its end. */
export function endedPull(job: PullJob): EndedPull {
  const { state, successor, name, failure, endedAt = Date.now() } = job;
  // One that was published and could not be noted down has failed for whoever waits for it.
  const ended = state === "cancelled" || (state === "published" && failure === undefined) ? state : "failed";
  const outcome = successor === undefined ? ended : "joined";
  return { ...begunPull(job), outcome, endedAt, name, failure, stages: job.clock.spans() };
}
