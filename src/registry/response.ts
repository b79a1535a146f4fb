import type { Readable } from "node:stream";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { TransientError } from "./transient.ts";

type HeaderValues = Readonly<Record<string, string | readonly string[] | undefined>>;

export type BodyLimits = Pick<Limits, "stallMs" | "minBytesPerSecond" | "slowWindowMs">;

/** What a server answered. Its body must be read to its end or discarded. */
export class HttpResponse {
  readonly status: number;
  /** The one that answered, after all redirects. */
  readonly url: URL;
  readonly #headers: HeaderValues;
  readonly #body: Readable;
  readonly #limits: BodyLimits;

  constructor(status: number, url: URL, headers: HeaderValues, body: Readable, limits: BodyLimits) {
    this.status = status;
    this.url = url;
    this.#headers = headers;
    this.#body = body;
    this.#limits = limits;
  }

  /** The first header of that name, which is in lower case. */
  header(name: string): string | undefined {
    return this.headers(name)[0];
  }

  headers(name: string): readonly string[] {
    const value = this.#headers[name];
    if (value === undefined) return [];
    return typeof value === "string" ? [value] : value;
  }

  discard(): void {
    this.#body.on("error", () => {
      // Nobody waits for these bytes any more.
    });
    this.#body.destroy();
  }

  /**
   * The body's pieces. A server that falls silent, or drips, ends it; the time that the reader takes is not counted.
   * Leaving the loop closes the connection.
   *
   * @throws BangerError REGISTRY_UNAVAILABLE where it breaks off, CANCELLED
   */
  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    const pieces: AsyncIterator<unknown> = this.#body[Symbol.asyncIterator]();
    const pace = new Pace(this.#limits);
    const { stallMs } = this.#limits;
    let waiting = false;
    // One timer for the whole body: a timer and a promise for each piece would cost more than reading it.
    const timer = setTimeout(() => {
      if (waiting) this.#body.destroy(this.#brokeOff(`sent nothing for ${stallMs / 1000} s`));
    }, stallMs);
    try {
      for (;;) {
        timer.refresh();
        waiting = true;
        const started = performance.now();
        const next = await pieces.next();
        waiting = false;
        if (next.done === true) return;
        if (!(next.value instanceof Uint8Array)) throw new TypeError("a body's piece is not bytes");
        if (pace.isTooSlow(next.value.length, performance.now() - started)) {
          throw this.#brokeOff(`sends less than ${this.#limits.minBytesPerSecond} bytes a second`);
        }
        yield next.value;
      }
    } catch (error) {
      throw error instanceof BangerError ? error : this.#brokeOff("broke the connection off", error);
    } finally {
      clearTimeout(timer);
      this.discard();
    }
  }

  #brokeOff(what: string, cause?: unknown): TransientError {
    return new TransientError("REGISTRY_UNAVAILABLE", `${this.url.host} ${what}`, {
      op: "read response",
      cause,
    });
  }
}

/** Bytes over the time that was spent waiting for them. */
class Pace {
  readonly #limits: BodyLimits;
  #bytes = 0;
  #waitedMs = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  isTooSlow(bytes: number, waitedMs: number): boolean {
    this.#bytes += bytes;
    this.#waitedMs += waitedMs;
    if (this.#waitedMs < this.#limits.slowWindowMs) return false;
    const slow = this.#bytes < (this.#limits.minBytesPerSecond * this.#waitedMs) / 1000;
    this.#bytes = 0;
    this.#waitedMs = 0;
    return slow;
  }
}
