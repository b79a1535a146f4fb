import { create } from "@bufbuild/protobuf";
import { status as Code, type Server } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  type HealthCheckResponse,
} from "../../gen/grpc/health/v1/health_pb.ts";
import type { ClientBounds } from "./client-bounds.ts";
import { addService, serverStreaming, unary } from "./routes.ts";
import { StatusFailure } from "./status.ts";

/**
 * The standard health service, for the server (`""`) and each service by name.
 * See https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export interface HealthService {
  /** From now on all services serve. */
  serve(): void;
  /** None serves any more: watchers are told, and their streams end, so that they hold up no shutdown. */
  stop(): void;
}

type Phase = "starting" | "serving" | "stopped";

export function addHealth(
  server: Server,
  serviceNames: readonly string[],
  bounds?: ClientBounds,
): HealthService {
  const known = new Set(["", ...serviceNames]);
  const phase = new PhaseBoard();

  const check = unary(Health.method.check, async ({ service }) => {
    if (!known.has(service)) throw new StatusFailure(Code.NOT_FOUND, "there is no such service");
    return response(statusIn(phase.now));
  });
  const watch = serverStreaming(Health.method.watch, async function* ({ service }, { signal }) {
    const isKnown = known.has(service);
    // The protocol keeps the stream of an unknown service open: it may be added later. Here none is.
    if (!isKnown) yield response(ServingStatus.SERVICE_UNKNOWN);
    for (;;) {
      const seen = phase.now;
      if (isKnown) yield response(statusIn(seen));
      if (seen === "stopped" || signal.aborted) return;
      await phase.after(seen, signal);
    }
  });
  addService(server, Health, { check, watch }, bounds);
  return { serve: () => phase.enter("serving"), stop: () => phase.enter("stopped") };
}

function statusIn(phase: Phase): ServingStatus {
  return phase === "serving" ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}

function response(status: ServingStatus): HealthCheckResponse {
  return create(HealthCheckResponseSchema, { status });
}

/** What phase it is, and who waits for the next. */
class PhaseBoard {
  now: Phase = "starting";
  readonly #waiting = new Set<() => void>();

  enter(phase: Phase): void {
    this.now = phase;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves once the phase is another than `seen`, or the signal aborts. */
  async after(seen: Phase, signal: AbortSignal): Promise<void> {
    if (this.now !== seen || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#waiting.delete(resolve);
  }
}
