import { ServerInterceptingCall, status, type ServerInterceptor } from "@grpc/grpc-js";
import { Counter, Histogram, type Labels, type Metric } from "./exposition.ts";

/** Seconds: what only asks the store should take a few milliseconds, and checking a large image takes minutes. */
const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/**
 * Milliseconds. A client gives up at its deadline by its own clock, and the server's began as the call arrived: what
 * ends that shortly before the deadline was ended by it.
 */
const deadlineSlackMs = 100;

/**
 * Measures the calls of a server, in one place for all methods. A call of one answer lasts from the moment that its
 * headers are read until the answer is encoded and handed to HTTP/2, or the failure is: what the client then takes to
 * read it is not the server's. One that streams lasts as long as its client likes, and is only counted.
 */
export class CallMetrics {
  readonly #durations = new Histogram(durationBounds);
  readonly #streams = new Counter();
  readonly #now: () => number;

  /** @param now milliseconds, of a clock that is never set back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  readonly interceptor: ServerInterceptor = ({ path, requestStream, responseStream }, call) => {
    const begin = this.#now();
    let answered: number | undefined;
    let counted = false;
    const end = (code: status): void => {
      // grpc-js says of every call at its end that it was cancelled.
      if (counted) return;
      counted = true;
      const labels = callLabels(path, code);
      if (requestStream || responseStream) this.#streams.add(labels);
      else this.#durations.observe(labels, ((answered ?? this.#now()) - begin) / 1000);
    };
    // A request that can't be decoded is refused below this, and counts as one whose client left.
    const onCancel = (): void => {
      const late = Date.now() + deadlineSlackMs >= Number(call.getDeadline());
      end(late ? status.DEADLINE_EXCEEDED : status.CANCELLED);
    };
    return new ServerInterceptingCall(call, {
      start: (next) => next({ onCancel }),
      sendMessage: (message, next) => {
        // Encodes it before it returns.
        next(message);
        answered = this.#now();
      },
      sendStatus: (sent, next) => {
        end(sent.code ?? status.UNKNOWN);
        next(sent);
      },
    });
  };

  metrics(): readonly Metric[] {
    return [
      {
        name: "banger_call_duration_seconds",
        help: "How long calls of one answer took, until it was encoded.",
        type: "histogram",
        samples: this.#durations.samples(),
      },
      {
        name: "banger_streams_total",
        help: "Calls with streams that have ended.",
        type: "counter",
        samples: this.#streams.samples(),
      },
    ];
  }
}

/** Pure. @param path as HTTP/2 has it: `/package.Service/Method` */
function callLabels(path: string, code: status): Labels {
  const [, service = "", method = ""] = path.split("/");
  return { service, method, code: status[code] ?? String(code) };
}
