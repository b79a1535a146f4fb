import { readlinkSync } from "node:fs";
import { availableParallelism, constants, getPriority, setPriority } from "node:os";
import { basename, extname, join } from "node:path";
import { Worker, parentPort, type ResourceLimits } from "node:worker_threads";
import { BangerError, asBangerError, isReason, type Reason } from "./error.ts";

/** How a worker's file is named beside the module that starts it: `.ts` in a checkout, `.js` once compiled. */
export function workerFile(folder: string, name: string): string {
  return join(folder, name + extname(import.meta.filename));
}

/** An error as it crosses from a worker: structured clone would keep neither class nor reason. */
interface WireError {
  readonly reason: string;
  readonly message: string;
  readonly op: string;
  readonly hint: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly stack: string | undefined;
}

type FromWorker<R, P> =
  | { readonly kind: "progress"; readonly value: P }
  | { readonly kind: "done"; readonly value: R }
  | { readonly kind: "failed"; readonly error: WireError };

export interface JobOptions<P> {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: P) => void;
}

interface Queued<J, R, P> {
  readonly job: J;
  readonly signal: AbortSignal;
  readonly onProgress: (value: P) => void;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread is ready in some 50 ms, and holds 10 to 20 MB for as long as it is there. */
const defaultIdleMs = 10_000;

/**
 * Threads that each do one job at a time, all from one file, and end where there is none for a while. Aborting a job's
 * signal terminates its thread, so a job must leave nothing behind but files that its caller removes. Jobs wait while
 * all threads are busy.
 *
 * `J`, `R` and `P` are what the file's `serveJobs` handler takes, returns and reports; the file is ours, so what
 * comes back is trusted to be of that type.
 */
export class WorkerPool<J, R, P = never> implements AsyncDisposable {
  readonly #file: string;
  readonly #size: number;
  readonly #limits: ResourceLimits;
  readonly #idleMs: number;
  /** Each with what ends it, last the one that worked last. */
  readonly #idle = new Map<Worker, NodeJS.Timeout>();
  readonly #all = new Set<Worker>();
  readonly #queue: Queued<J, R, P>[] = [];
  #closed = false;

  /**
   * @param limits of each thread's heap, where its work needs less than Node would let it grow to
   * @param idleMs after which a thread without work ends
   */
  constructor(
    file: string,
    size: number = availableParallelism(),
    limits: ResourceLimits = {},
    idleMs = defaultIdleMs,
  ) {
    this.#file = file;
    this.#size = Math.max(1, size);
    this.#limits = limits;
    this.#idleMs = idleMs;
  }

  /**
   * Starts threads before there is work for them, up to the pool's size: a thread takes some 50 ms to be ready, which
   * the caller may have other work for.
   */
  warm(count: number): void {
    while (this.#all.size < count) {
      const worker = this.#start();
      if (worker === undefined) return;
      this.#rest(worker);
    }
  }

  /** @throws BangerError what the job threw, CANCELLED, or INTERNAL where its thread died. */
  run(job: J, options: JobOptions<P>): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const onProgress = options.onProgress ?? (() => {});
    this.#queue.push({ job, signal: options.signal, onProgress, resolve, reject });
    this.#dispatch();
    return promise;
  }

  /** As `run`, but undefined where no thread is free to begin at once. */
  tryRun(job: J, options: JobOptions<P>): Promise<R> | undefined {
    const isFree = this.#idle.size > 0 || this.#all.size < this.#size;
    return isFree && !this.#closed ? this.run(job, options) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const queued of this.#queue.splice(0)) queued.reject(closedError());
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      if (this.#closed) {
        this.#queue.shift()?.reject(closedError());
        continue;
      }
      const worker = this.#wake() ?? this.#start();
      if (worker === undefined) return;
      const queued = this.#queue.shift();
      if (queued === undefined) this.#rest(worker);
      else this.#assign(worker, queued);
    }
  }

  #start(): Worker | undefined {
    if (this.#all.size >= this.#size) return undefined;
    const worker = new Worker(this.#file, { resourceLimits: this.#limits });
    worker.unref();
    this.#all.add(worker);
    // One that fails while it is idle goes, and that is all; a job's own listener tells of one that is at work.
    worker.on("error", () => {});
    worker.once("exit", () => {
      this.#all.delete(worker);
      this.#forget(worker);
      this.#dispatch();
    });
    return worker;
  }

  #rest(worker: Worker): void {
    const end = setTimeout(() => {
      // First, as no work may be given to a thread that is about to go.
      this.#forget(worker);
      void worker.terminate();
    }, this.#idleMs).unref();
    this.#idle.set(worker, end);
  }

  #wake(): Worker | undefined {
    const worker = [...this.#idle.keys()].at(-1);
    if (worker !== undefined) this.#forget(worker);
    return worker;
  }

  /** It is not idle, or is no more. */
  #forget(worker: Worker): void {
    clearTimeout(this.#idle.get(worker));
    this.#idle.delete(worker);
  }

  #assign(worker: Worker, queued: Queued<J, R, P>): void {
    const abort = (): void => void worker.terminate();
    const finish = (): void => {
      worker.unref();
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      queued.signal.removeEventListener("abort", abort);
    };
    const onMessage = (message: FromWorker<R, P>): void => {
      if (message.kind === "progress") return queued.onProgress(message.value);
      finish();
      if (message.kind === "done") queued.resolve(message.value);
      else queued.reject(fromWire(message.error));
      this.#rest(worker);
      this.#dispatch();
    };
    const onError = (error: unknown): void => {
      finish();
      queued.reject(new BangerError("INTERNAL", "a worker thread died", { op: "run worker", cause: error }));
    };
    const onExit = (): void => {
      finish();
      const { signal } = queued;
      queued.reject(signal.aborted ? asBangerError(signal.reason, "work") : closedError());
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.ref();
    if (queued.signal.aborted) return abort();
    queued.signal.addEventListener("abort", abort, { once: true });
    worker.postMessage(queued.job);
  }
}

/**
 * Leaves the processors to the process's other threads whenever those want them: Linux keeps a nice value for each thread
 * (setpriority(2), "C library/kernel differences"). For work that runs behind another, as a scan does behind its
 * download: it must not slow the thread that it waits for.
 *
 * Where a sandbox forbids it the thread stays as it is, which costs time and nothing else.
 */
export function yieldToOtherThreads(): void {
  try {
    // "PID/task/TID", proc(5).
    const thread = Number(basename(readlinkSync("/proc/thread-self")));
    const { PRIORITY_BELOW_NORMAL, PRIORITY_LOW } = constants.priority;
    setPriority(thread, Math.min(getPriority() + PRIORITY_BELOW_NORMAL, PRIORITY_LOW));
  } catch {
    // As said above.
  }
}

/** What a handler may do besides returning. */
export interface JobContext<P> {
  readonly progress: (value: P) => void;
}

/** The other end: call once in a worker's file. Jobs come one at a time. */
export function serveJobs<J, R, P = never>(
  handler: (job: J, context: JobContext<P>) => R | Promise<R>,
): void {
  const port = parentPort;
  if (port === null)
    throw new BangerError("INTERNAL", "a worker's file was run as a program", { op: "run worker" });
  const send = (message: FromWorker<R, P>): void => port.postMessage(message);
  const context: JobContext<P> = { progress: (value) => send({ kind: "progress", value }) };
  const handle = async (job: J): Promise<void> => {
    try {
      const value = await handler(job, context);
      send({ kind: "done", value });
    } catch (error) {
      send({ kind: "failed", error: toWire(error) });
    }
  };
  port.on("message", (job: J) => void handle(job));
}

function toWire(error: unknown): WireError {
  const { reason, message, op, hint, facts, stack } = asBangerError(error, "work");
  return { reason, message, op, hint, facts, stack };
}

function fromWire(wire: WireError): BangerError {
  const reason: Reason = isReason(wire.reason) ? wire.reason : "INTERNAL";
  return new BangerError(reason, wire.message, {
    op: wire.op,
    facts: wire.facts,
    hint: wire.hint,
    cause: wire.stack,
  });
}

function closedError(): BangerError {
  return new BangerError("CANCELLED", "the work was stopped", { op: "run worker" });
}
