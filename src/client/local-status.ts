import { create } from "@bufbuild/protobuf";
import {
  GetDaemonStatusResponseSchema,
  type GetDaemonStatusResponse,
} from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { runChecks } from "../service/checks.ts";
import { loadConfig, readWhatIsRight } from "../service/config.ts";
import type { DaemonPaths } from "../service/paths.ts";

/**
 * What a daemon on those paths would find, looked at from here. This user's rights count, which need not be those of
 * the user that runs the daemon. A config that is wrong is one of the things found, and counts for what it says rightly.
 *
 * @throws BangerError CANCELLED.
 */
export async function localStatus(
  paths: DaemonPaths,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<GetDaemonStatusResponse> {
  const config = loadConfig(paths, env, readWhatIsRight);
  return create(GetDaemonStatusResponseSchema, {
    version: config.version,
    nodeVersion: process.versions.node,
    socketPath: paths.socketPath,
    stateDir: paths.stateDir,
    cacheDir: paths.cacheDir,
    tempDir: config.tempDir,
    configPath: paths.configPath,
    configFound: config.live.found,
    checks: [...(await runChecks(config, signal, false))],
  });
}
