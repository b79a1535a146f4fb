import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../base/error.ts";

/** Documents that wait for the collector: an hour of busy pulls, a few MB. What comes on top is dropped. */
const maxWaiting = 256;

/** How long one request may take, in milliseconds. */
const requestMs = 10_000;

/** Pauses between tries of one document, in milliseconds; after the last it is dropped. */
const pauses = [1000, 5000, 15_000];

/** How long disposing waits for what is still to be sent, in milliseconds: no stop hangs on a collector. */
const flushMs = 1000;

/** OTLP specification, "Retryable Response Codes". */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface ExporterEvents {
  /** Once when it begins to fail, not for each document. */
  readonly onFailure: (why: string) => void;
  /** Once when it is well again. @param dropped documents that were lost meanwhile */
  readonly onRecovery: (dropped: number) => void;
}

/**
 * Posts documents to a collector, one after the other, behind the back of whoever makes them: `send` never waits and
 * never fails. A collector that is away costs a bounded queue.
 */
export class TraceExporter implements AsyncDisposable {
  readonly #url: URL;
  readonly #events: ExporterEvents;
  readonly #pauses: readonly number[];
  readonly #waiting: unknown[] = [];
  readonly #stopped = new AbortController();
  #sending: Promise<void> | undefined;
  #failing = false;
  /** Between two tries, as the last one found nobody. */
  #pausing = false;
  #dropped = 0;

  /** @param endpoint base URL, without a slash at its end */
  constructor(endpoint: string, events: ExporterEvents, retryPauses: readonly number[] = pauses) {
    this.#url = new URL(`${endpoint}/v1/traces`);
    this.#events = events;
    this.#pauses = retryPauses;
  }

  send(document: unknown): void {
    if (this.#stopped.signal.aborted) return;
    if (this.#waiting.length === maxWaiting) return void this.#dropped++;
    this.#waiting.push(document);
    this.#sending ??= this.#drain();
  }

  /** Sends what waits for a moment more, then gives it up; at once where the collector is known to be away. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pausing) this.#stopped.abort();
    const timer = setTimeout(() => this.#stopped.abort(), flushMs);
    try {
      await this.#sending;
    } finally {
      clearTimeout(timer);
      this.#stopped.abort();
    }
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    for (let document = this.#waiting[0]; document !== undefined; document = this.#waiting[0]) {
      if (this.#stopped.signal.aborted) break;
      const body = JSON.stringify(document);
      const failure = await this.#deliver(body);
      this.#waiting.shift();
      if (failure === undefined) this.#recovered();
      else this.#failed(failure);
    }
    this.#sending = undefined;
  }

  /** @returns why it was given up; undefined where it was taken. */
  async #deliver(body: string): Promise<string | undefined> {
    for (let attempt = 0; ; attempt++) {
      const { failure, mayRetry } = await this.#post(body);
      if (failure === undefined) return undefined;
      const pause = this.#pauses[attempt];
      if (!mayRetry || pause === undefined || this.#stopped.signal.aborted) return failure;
      this.#tellFailing(failure);
      this.#pausing = true;
      try {
        await sleep(pause, undefined, { signal: this.#stopped.signal });
      } catch {
        // Stopped: there is one more try for it, which ends at once.
      } finally {
        this.#pausing = false;
      }
    }
  }

  async #post(body: string): Promise<{ readonly failure?: string; readonly mayRetry: boolean }> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const request = (this.#url.protocol === "https:" ? requestHttps : requestHttp)(this.#url, {
      method: "POST",
      agent: false,
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(requestMs)]),
    });
    request.once("error", reject);
    request.once("response", (response) => {
      // What a collector has to say of a document is of no use to a pull.
      response.resume();
      response.once("error", reject);
      response.once("close", () => resolve(response.statusCode ?? 0));
    });
    request.end(body);
    try {
      const status = await promise;
      if (status >= 200 && status < 300) return { mayRetry: false };
      return { failure: `it answered ${status}`, mayRetry: retryable.has(status) };
    } catch (error) {
      return { failure: messageOf(error), mayRetry: true };
    }
  }

  #failed(why: string): void {
    this.#dropped++;
    this.#tellFailing(why);
  }

  #tellFailing(why: string): void {
    if (this.#failing || this.#stopped.signal.aborted) return;
    this.#failing = true;
    this.#events.onFailure(why);
  }

  #recovered(): void {
    if (!this.#failing) return;
    this.#events.onRecovery(this.#dropped);
    this.#failing = false;
    this.#dropped = 0;
  }
}
