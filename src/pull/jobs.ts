import { randomBytes } from "node:crypto";
import { BangerError, asBangerError } from "../base/error.ts";
import { foreseeKernel } from "../kernel/resolve-inputs.ts";
import type { ResolvedImage } from "../oci/image-source.ts";
import type { VerifiedSignature } from "../signature/check-signature.ts";
import type { PullRecord } from "../store/records.ts";
import type { ResumablePull } from "../store/store.ts";
import { PullJob, begunPull, endedPull } from "./job.ts";
import { runPull, type PipelineDeps } from "./pipeline.ts";
import type { PullObserver } from "./observer.ts";
import { planPull, type PullPlan } from "./plan.ts";
import { inflateEstimate } from "./pull-space.ts";
import { cancelledRecord, watchRecord, withoutJob } from "./recorded-pull.ts";
import type { PullRequest } from "./request.ts";
import { openPullSource } from "./source.ts";
import { StageClock } from "./stage-clock.ts";
import { parseStoredRequest, storedRequest } from "./stored-request.ts";
import { subscribe, type PullSubscription } from "./subscription.ts";

/** What a pull would do. */
export interface ResolvedPull {
  readonly image: ResolvedImage;
  /** Why a policy lets it in; undefined where none asks. */
  readonly signature?: VerifiedSignature | undefined;
  readonly name: string;
  readonly bytesToFetch: number;
  /** An estimate: what is fetched, and three times the compressed layers for what is built. */
  readonly diskNeededBytes: number;
  readonly existingImageId: string | undefined;
}

export interface Pulls {
  /**
   * Starts a pull. It may turn out to be one that is under way, and then goes on as that one.
   *
   * @throws BangerError TOO_MANY_PULLS, SHUTTING_DOWN.
   */
  pull(request: PullRequest): Promise<PullSubscription>;
  /** Goes on with detached pulls that the daemon's end cut off, under their old ids. */
  resume(pulls: readonly ResumablePull[]): Promise<void>;
  /** Of one that has ended, also with an earlier daemon, what it came to. @throws BangerError PULL_UNKNOWN. */
  watch(pullId: string): Promise<PullSubscription>;
  /** Returns once the pull has ended, whichever way; one that had ended stays as it is. @throws BangerError PULL_UNKNOWN. */
  cancel(pullId: string): Promise<PullRecord>;
  /**
   * A record as it is now: the store's own is written when a pull begins and when it has ended. One that was cut off, and
   * that this daemon does not go on with, waits.
   */
  current(record: PullRecord): PullRecord;
  /** Writes nothing. */
  resolve(request: PullRequest, signal: AbortSignal): Promise<ResolvedPull>;
  watcherCount(pullId: string): number;
  activeCount(): number;
  waitingCount(): number;
  /** Cancels all, and returns once all have ended. No pull starts after. */
  stop(): Promise<void>;
}

/** Ended pulls that late watchers still find in memory; the store keeps the rest. */
const endedPullsKept = 64;

export interface PullsDeps extends PipelineDeps {
  readonly observers?: readonly PullObserver[];
}

export function createPulls(deps: PullsDeps): Pulls {
  return new PullJobs(deps);
}

class PullJobs implements Pulls {
  readonly #deps: PipelineDeps;
  readonly #jobs = new Map<string, PullJob>();
  /** Those that build, by what they build. */
  readonly #building = new Map<string, PullJob>();
  readonly #running = new Map<PullJob, Promise<void>>();
  readonly #observers: readonly PullObserver[];
  #stopped = false;

  constructor(deps: PullsDeps) {
    this.#deps = deps;
    this.#observers = deps.observers ?? [];
  }

  async pull(request: PullRequest): Promise<PullSubscription> {
    if (this.#stopped) throw stoppedError();
    const { unfinishedPulls } = this.#deps.limits;
    if (this.#running.size >= unfinishedPulls) throw tooManyPullsError(unfinishedPulls);
    const job = new PullJob(`p${randomBytes(8).toString("hex")}`, request);
    const subscription = subscribe(job);
    this.#start(job, () => this.#deps.store.insertPull(job.toRecord(), storedRequest(request)));
    return subscription;
  }

  async resume(pulls: readonly ResumablePull[]): Promise<void> {
    for (const { record, requestJson } of pulls) {
      const request = parseStoredRequest(requestJson);
      if (request === undefined) await this.#deps.store.updatePull(unreadable(record));
      else
        this.#start(new PullJob(record.id, { ...request, detached: true }, record.startedAt), async () => {});
    }
  }

  /** @param note puts it into the store */
  #start(job: PullJob, note: () => Promise<void>): void {
    this.#jobs.set(job.id, job);
    for (const observer of this.#observers) observer.begun(begunPull(job));
    this.#running.set(job, this.#run(job, note));
  }

  async watch(pullId: string): Promise<PullSubscription> {
    const { store } = this.#deps;
    const job = this.#jobOf(pullId);
    return job === undefined
      ? watchRecord(await store.findPull(pullId), (id) => store.findImage(id))
      : subscribe(job);
  }

  async cancel(pullId: string): Promise<PullRecord> {
    const reason = new BangerError("CANCELLED", "the pull was cancelled on request", { op: "pull" });
    const job = this.#jobOf(pullId);
    if (job === undefined) return this.#cancelRecord(await this.#deps.store.findPull(pullId), reason);
    job.abort(reason);
    await this.#running.get(job);
    return job.toRecord();
  }

  async #cancelRecord(record: PullRecord, reason: BangerError): Promise<PullRecord> {
    const cancelled = cancelledRecord(record, reason);
    if (cancelled === undefined) return record;
    await this.#deps.store.updatePull(cancelled);
    return cancelled;
  }

  async resolve(request: PullRequest, signal: AbortSignal): Promise<ResolvedPull> {
    await using source = openPullSource(this.#deps, request);
    const pull = { request, clock: new StageClock(), signal, emit: () => {} };
    const { image, signature, name, bytesToFetch, existing } = await planPull(
      this.#deps,
      pull,
      source,
      async ({ image: { platform } }) =>
        request.kernel &&
        foreseeKernel(this.#deps.kernels, request.kernel.selection, {
          architecture: platform.architecture,
          signal,
        }),
    );
    const compressed = image.manifest.layers.reduce((sum, { size }) => sum + size, 0);
    const diskNeededBytes = existing === undefined ? bytesToFetch + compressed * inflateEstimate : 0;
    return { image, signature, name, bytesToFetch, diskNeededBytes, existingImageId: existing?.id };
  }

  current(record: PullRecord): PullRecord {
    return this.#jobs.get(record.id)?.toRecord() ?? withoutJob(record);
  }

  watcherCount(pullId: string): number {
    return this.#jobs.get(pullId)?.watcherCount ?? 0;
  }

  activeCount(): number {
    return this.#running.size;
  }

  waitingCount(): number {
    const { resolves, queue, builds, ledger } = this.#deps;
    return [resolves, queue, builds, ledger].reduce((sum, { waitingCount }) => sum + waitingCount, 0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const job of this.#running.keys()) job.abort(stoppedError());
    await Promise.all(this.#running.values());
  }

  #jobOf(pullId: string): PullJob | undefined {
    const job = this.#jobs.get(pullId);
    return job?.successor ?? job;
  }

  /** Never rejects: how it ends is in the job. */
  async #run(job: PullJob, note: () => Promise<void>): Promise<void> {
    try {
      await note();
      const image = await runPull(this.#deps, {
        request: job.request,
        clock: job.clock,
        signal: job.signal,
        emit: (stage, body) => {
          job.state = body.kind === "waiting" ? "waiting" : "running";
          const event = job.log.append(stage, body);
          for (const observer of this.#observers) observer.said(event);
        },
        claim: (plan) => this.#claim(job, plan),
      });
      job.imageId = image?.id;
      job.state = "published";
    } catch (error) {
      job.failure = asBangerError(job.signal.aborted ? job.signal.reason : error, "pull");
      job.state = job.failure.reason === "CANCELLED" ? "cancelled" : "failed";
    } finally {
      await this.#end(job);
    }
  }

  /** One build for one digest, platform, name and options, whoever asks. */
  #claim(job: PullJob, plan: PullPlan): boolean {
    job.name = plan.name;
    job.manifestDigest = plan.image.manifestDigest;
    const key = `${plan.image.manifestDigest} ${plan.name} ${plan.image.repository} ${plan.optionsKey} ${job.request.verify} ${job.request.strict}`;
    const other = this.#building.get(key);
    if (other === undefined || other.signal.aborted) {
      this.#building.set(key, job);
      return true;
    }
    job.joinInto(other);
    return false;
  }

  async #end(job: PullJob): Promise<void> {
    job.endedAt = Date.now();
    for (const [key, owner] of this.#building) if (owner === job) this.#building.delete(key);
    try {
      await this.#note(job);
    } catch (error) {
      job.failure ??= asBangerError(error, "record pull");
    }
    // Not before: whoever stops or cancels it by now waits until it is noted down.
    this.#running.delete(job);
    for (const observer of this.#observers) observer.ended(endedPull(job));
    job.log.end(job.failure);
    this.#forgetOld();
  }

  async #note(job: PullJob): Promise<void> {
    const { store } = this.#deps;
    const { successor } = job;
    if (successor !== undefined) {
      // It may have become detached by this one, which must not be forgotten before that is known.
      if (job.detached && !successor.ended) await store.updatePull(successor.toRecord());
      await store.deletePull(job.id);
    } else if (!goesOnLater(job)) {
      await store.updatePull(job.toRecord());
    }
  }

  #forgetOld(): void {
    const ended = [...this.#jobs.values()].filter((job) => job.ended);
    for (const job of ended.slice(0, Math.max(0, ended.length - endedPullsKept))) this.#jobs.delete(job.id);
  }
}

/** A detached pull that the daemon's stop cut off keeps its row as it is: the next daemon goes on with it. */
function goesOnLater({ detached, failure, request }: PullJob): boolean {
  return detached && failure?.reason === "SHUTTING_DOWN" && request.credentials === undefined;
}

function unreadable(record: PullRecord): PullRecord {
  return {
    ...record,
    state: "failed",
    endedAt: Date.now(),
    failureReason: "SHUTTING_DOWN",
    failureMessage: "The daemon ended while this pull ran, and this version can't go on with it. Pull again.",
  };
}

function tooManyPullsError(limit: number): BangerError {
  return new BangerError(
    "TOO_MANY_PULLS",
    `${limit} pulls are under way or wait, which is the most there may be`,
    {
      op: "pull",
      facts: { limit: String(limit) },
    },
  );
}

function stoppedError(): BangerError {
  return new BangerError("SHUTTING_DOWN", "the daemon is stopping", {
    op: "pull",
    hint: "Try again once it is back: what was downloaded is kept.",
  });
}
