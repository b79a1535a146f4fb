import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";

/** What clients may have open at once. */
type StreamLimits = Pick<Limits, "streams" | "clientStreams" | "clientPulls">;

interface Open {
  streams: number;
  pulls: number;
}

/**
 * Counts the streams that are open. Each costs memory for as long as its client likes: without a bound, one that opens
 * thousands takes it from all others. The limits are read at each call, and may change; only that of a client's streams
 * stays, as what HTTP/2 told the client does.
 */
export class ClientBounds {
  readonly #limits: StreamLimits;
  readonly #clientStreams: number;
  readonly #clients = new Map<string, Open>();
  #streams = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
    this.#clientStreams = limits.clientStreams;
  }

  /**
   * Counts one more, until what is returned is disposed of, which is harmless twice.
   *
   * @throws BangerError TOO_MANY_STREAMS or TOO_MANY_PULLS; nothing is counted then
   */
  enter(client: string, isPull: boolean): Disposable {
    const { streams, clientPulls } = this.#limits;
    const clientStreams = this.#clientStreams;
    const open = this.#clients.get(client) ?? { streams: 0, pulls: 0 };
    if (this.#streams >= streams) throw tooManyStreams("all clients together have", streams);
    if (open.streams >= clientStreams) throw tooManyStreams("this connection has", clientStreams);
    if (isPull && open.pulls >= clientPulls) throw tooManyPulls(clientPulls);
    this.#clients.set(client, open);
    this.#streams++;
    open.streams++;
    if (isPull) open.pulls++;
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#streams--;
        open.streams--;
        if (isPull) open.pulls--;
        if (open.streams === 0) this.#clients.delete(client);
      },
    };
  }
}

function tooManyStreams(who: string, limit: number): BangerError {
  return new BangerError("TOO_MANY_STREAMS", `${who} ${limit} streams open, which is the most there may be`, {
    op: "serve",
    facts: { limit: String(limit) },
  });
}

function tooManyPulls(limit: number): BangerError {
  const message = `this connection has ${limit} pulls under way, which is the most it may`;
  return new BangerError("TOO_MANY_PULLS", message, { op: "serve", facts: { limit: String(limit) } });
}
