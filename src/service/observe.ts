import { randomUUID } from "node:crypto";
import type { ServerInterceptor } from "@grpc/grpc-js";
import type { PullObserver } from "../pull/observer.ts";
import type { DaemonConfig } from "./config.ts";
import type { Log } from "./log.ts";
import { DaemonMetrics, type MetricSources } from "./metrics/daemon-metrics.ts";
import { renderMetrics } from "./metrics/exposition.ts";
import { serveMetrics } from "./metrics/server.ts";
import { pullLog } from "./pull-log.ts";
import { TraceExporter } from "./tracing/exporter.ts";
import { traceRequest } from "./tracing/otlp.ts";
import { PullTraces } from "./tracing/pull-traces.ts";
import type { SocketAccess } from "./unix-socket.ts";

/** What watches a daemon at work. */
export interface Observing {
  readonly observers: readonly PullObserver[];
  /** For the server whose calls are to be measured; none where nobody asks for figures. */
  readonly interceptors: readonly ServerInterceptor[];
  /** Begins to serve figures, where that is asked for. @throws BangerError SOCKET_INVALID. */
  serve(sources: MetricSources): Promise<void>;
}

export interface ObserveOptions {
  readonly log: Log;
  /** To the figures, where they are on a socket of their own. */
  readonly access: SocketAccess;
  readonly owned: AsyncDisposableStack;
  /** Whether figures are served at all. */
  readonly metrics: boolean;
}

/** Sets up logs of pulls, figures and traces as the config has them. What must be disposed of goes onto `owned`. */
export function observe(
  { live, version }: DaemonConfig,
  { log, access, owned, metrics: wanted }: ObserveOptions,
): Observing {
  const {
    metrics: { listen },
    tracing: { endpoint },
  } = live.settings;
  const observers: PullObserver[] = [pullLog(log)];
  if (endpoint !== undefined) observers.push(pullTraces(endpoint, version, log, owned));
  if (listen === undefined || !wanted) return { observers, interceptors: [], serve: async () => {} };
  const metrics = owned.use(new DaemonMetrics());
  observers.push(metrics);
  const serve = async (sources: MetricSources): Promise<void> => {
    const page = async (): Promise<string> => renderMetrics(await metrics.collect(sources));
    const { address } = owned.use(await serveMetrics(listen, access, page));
    log.info("metrics", { address });
  };
  return { observers, interceptors: [metrics.interceptor], serve };
}

function pullTraces(endpoint: string, version: string, log: Log, owned: AsyncDisposableStack): PullObserver {
  const exporter = owned.use(
    new TraceExporter(endpoint, {
      onFailure: (why) => log.warn("traces can't be delivered", { endpoint, why }),
      onRecovery: (dropped) => log.info("traces are delivered again", { endpoint, dropped }),
    }),
  );
  const resource = { name: "bangerd", version, instanceId: randomUUID() };
  return new PullTraces((root) => exporter.send(traceRequest(resource, root)));
}
