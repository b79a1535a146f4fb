import { request as undiciRequest } from "undici";
import { BangerError, asBangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { backoffMs, type Clock } from "../base/retry.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import { Connections, type ConnectionOptions } from "./connections.ts";
import { statusError, type Asked } from "./error-body.ts";
import { isRedirect, redirectTarget } from "./redirect.ts";
import { HttpResponse } from "./response.ts";
import { TransientError, connectionError, isTransientStatus } from "./transient.ts";

export interface TransportOptions extends ConnectionOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly userAgent: string;
}

export interface HttpRequest extends Asked {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** These two are sent to the origin of `url` and nowhere else, whatever redirects say. */
  readonly ownHeaders?: Readonly<Record<string, string>>;
  readonly authorization?: string | undefined;
  /** Makes it a POST. It may hold a secret, so that no redirect is followed. */
  readonly form?: URLSearchParams;
}

/**
 * Requests that hold out: repeated with a growing pause where that may help, redirected with care, and bounded
 * in every direction. Keeps no cookies. Owns its connections; disposing ends them all.
 */
export class Transport implements AsyncDisposable {
  readonly #options: TransportOptions;
  readonly #connections: Connections;
  /** Hosts that have answered. */
  readonly #answered = new Set<string>();

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#connections = new Connections(options);
  }

  /**
   * Sends until there is an answer that another try would not change, and hands it to `consume`, which reads its
   * body or discards it. A body that breaks off inside `consume` counts as a failed try.
   *
   * @throws BangerError REGISTRY_UNAVAILABLE, RATE_LIMITED, REGISTRY_PROTOCOL, CANCELLED, or what `consume` throws
   */
  async send<T>(
    request: HttpRequest,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await consume(await this.#follow(request, options.signal));
      } catch (error) {
        if (options.signal.aborted) throw asBangerError(options.signal.reason, request.op);
        if (!(error instanceof TransientError)) throw asBangerError(error, request.op);
        await this.#pause(error, attempt, request, options);
      }
    }
  }

  /** Waits before the next try, or throws where there is none. */
  async #pause(
    error: TransientError,
    attempt: number,
    request: HttpRequest,
    options: SourceOptions,
  ): Promise<void> {
    const { limits, clock } = this.#options;
    if (attempt >= limits.attempts) throw gaveUp(error, `after ${attempt} tries`);
    const asked = error.retryAfterMs ?? 0;
    if (asked > limits.retryAfterMs) {
      throw gaveUp(error, `and asks to wait ${Math.ceil(asked / 1000)} s`);
    }
    const delayMs = Math.max(asked, backoffMs(attempt, clock));
    options.onRetry({ subject: request.subject, attempt: attempt + 1, delayMs, why: error.message });
    await clock.sleep(delayMs, options.signal);
  }

  async #follow(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const { limits, clock } = this.#options;
    let { url } = request;
    for (let hops = 0; ; hops++) {
      const response = await this.#once(url, request, signal);
      if (isTransientStatus(response.status)) {
        throw await statusError(response, request, limits, clock.now());
      }
      if (!isRedirect(response.status)) return response;
      response.discard();
      if (request.form !== undefined) {
        throw new BangerError("REGISTRY_PROTOCOL", `${url.host} redirects a request that holds a secret`, {
          op: request.op,
        });
      }
      if (hops === limits.redirects) {
        throw new BangerError(
          "REGISTRY_PROTOCOL",
          `the ${request.subject} was redirected more than ${hops} times`,
          { op: request.op },
        );
      }
      url = redirectTarget(url, response.header("location"), request.op);
    }
  }

  async #once(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const { limits, userAgent } = this.#options;
    const { authorization, form } = request;
    const mine = url.origin === request.url.origin;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(this.#silent(url, request.op)), limits.responseMs);
    try {
      const { statusCode, headers, body } = await undiciRequest(url, {
        dispatcher: this.#connections.to(url),
        signal: AbortSignal.any([signal, late.signal]),
        ...(form === undefined ? {} : { method: "POST", body: form.toString() }),
        headers: {
          ...request.headers,
          ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
          "user-agent": userAgent,
          // Blobs are hashed as they lie in the registry; a coding on top would have to be undone first.
          "accept-encoding": "identity",
          ...(mine ? request.ownHeaders : {}),
          ...(mine && authorization !== undefined ? { authorization } : {}),
        },
      });
      this.#answered.add(url.host);
      return new HttpResponse(statusCode, url, headers, body, limits);
    } catch (error) {
      const answeredBefore = this.#answered.has(url.host);
      const proxy = this.#connections.proxyFor(url)?.host;
      throw connectionError(error, request.op, { host: url.host, answeredBefore, proxy });
    } finally {
      clearTimeout(timer);
    }
  }

  #silent(url: URL, op: string): TransientError {
    const seconds = this.#options.limits.responseMs / 1000;
    return new TransientError("REGISTRY_UNAVAILABLE", `${url.host} did not answer within ${seconds} s`, {
      op,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }
}

/** The last failure, and why it was the last. */
function gaveUp(error: TransientError, why: string): BangerError {
  const { reason, op, hint, facts, retryAfterMs } = error;
  return new BangerError(reason, `${error.message} (${why})`, {
    op,
    facts,
    cause: error,
    hint,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
