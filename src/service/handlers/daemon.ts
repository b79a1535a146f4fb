import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  DaemonService,
  GetDaemonStatusResponseSchema,
} from "../../../gen/banger/image/v1/daemon_service_pb.ts";
import type { Pulls } from "../../pull/jobs.ts";
import type { Store } from "../../store/store.ts";
import { runChecks } from "../checks.ts";
import type { DaemonConfig } from "../config.ts";
import { unary } from "../routes.ts";

export interface DaemonDeps {
  readonly store: Store;
  readonly pulls: Pulls;
  readonly config: DaemonConfig;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export function daemonRoutes({ store, pulls, config, startedAt }: DaemonDeps) {
  const { paths, version } = config;
  const getDaemonStatus = unary(DaemonService.method.getDaemonStatus, async (_request, { signal }) =>
    create(GetDaemonStatusResponseSchema, {
      version,
      nodeVersion: process.versions.node,
      pid: process.pid,
      startTime: timestampFromMs(startedAt),
      socketPath: paths.socketPath,
      stateDir: paths.stateDir,
      cacheDir: paths.cacheDir,
      tempDir: config.tempDir,
      configPath: paths.configPath,
      configFound: config.live.found,
      imageCount: BigInt(await store.imageCount()),
      activePullCount: BigInt(pulls.activeCount()),
      waitingPullCount: BigInt(pulls.waitingCount()),
      checks: [...(await runChecks(config, signal))],
    }),
  );
  return { getDaemonStatus };
}
