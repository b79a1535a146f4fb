import type { SourceOptions } from "../oci/image-source.ts";
import { Authorizer } from "./authorizer.ts";
import type { Credentials } from "./credentials.ts";
import { baseUrlOf } from "./endpoint.ts";
import type { Asked } from "./error-body.ts";
import type { Place } from "./place.ts";
import type { HttpResponse } from "./response.ts";
import { Transport, type TransportOptions } from "./transport.ts";

export interface HostOptions extends Omit<TransportOptions, "host" | "tls" | "dialTimeoutMs"> {
  readonly place: Place;
  /** The repository's path. */
  readonly repository: string;
  readonly findCredentials: (signal: AbortSignal) => Promise<Credentials | undefined>;
}

/** A 401 is answered twice at most: the token may have run out between two requests, not more often. */
const maxAnswers = 2;

/** One repository at one of the places that serve it. Owns its connections and tokens: no other place sees them. */
export class RegistryHost implements AsyncDisposable {
  readonly place: Place;
  readonly #options: HostOptions;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  readonly #dialTimeoutMs: number;
  #api: URL | undefined;

  constructor(options: HostOptions) {
    const { place } = options;
    this.place = place;
    this.#options = options;
    const { endpoint, tls } = place;
    this.#dialTimeoutMs = place.dialTimeoutMs ?? options.limits.dialMs;
    this.#transport = new Transport({
      ...options,
      host: endpoint.host,
      tls,
      dialTimeoutMs: this.#dialTimeoutMs,
    });
    this.#authorizer = new Authorizer({ ...options, transport: this.#transport });
  }

  /** As errors and progress call it. */
  get name(): string {
    return this.place.endpoint.host;
  }

  /** One GET below the repository, with whatever authentication it takes. */
  async get<T>(
    path: string,
    headers: Readonly<Record<string, string>>,
    asked: Asked,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const api = await this.#apiUrl(options.signal);
    const url = new URL(`${this.#options.repository}/${path}`, api);
    const { namespace, headers: ownHeaders } = this.place;
    if (namespace !== undefined) url.searchParams.set("ns", namespace);
    let authorization = await this.#authorizer.current(options);
    for (let answers = 0; ; answers++) {
      const request = { url, headers, ownHeaders, authorization, ...asked };
      const outcome = await this.#transport.send(request, options, async (response) => {
        // A storage host that asks for credentials gets none: they belong to the registry.
        const mayAnswer = response.url.origin === api.origin && answers < maxAnswers;
        const challenge = response.headers("www-authenticate");
        if (response.status !== 401 || !mayAnswer || challenge.length === 0) {
          return { value: await consume(response) };
        }
        response.discard();
        return { challenge };
      });
      if ("value" in outcome) return outcome.value;
      authorization = await this.#authorizer.answer(outcome.challenge, authorization, api, options);
    }
  }

  async #apiUrl(signal: AbortSignal): Promise<URL> {
    const { api, endpoint } = this.place;
    this.#api ??= api ?? new URL("v2/", await baseUrlOf(endpoint, this.#dialTimeoutMs, signal));
    return this.#api;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }
}
