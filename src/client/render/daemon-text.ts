import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { GetDaemonStatusResponse } from "../../../gen/banger/image/v1/daemon_service_pb.ts";
import { facts } from "./table.ts";
import { safeText } from "./text.ts";
import { formatAge, formatCount } from "./units.ts";

/** How a daemon is, for a person: its checks last, each with what to do where it is not met. */
export function daemonText(status: GetDaemonStatusResponse, now: number): string[] {
  const { startTime, checks } = status;
  return [
    ...facts([
      ["version", `${status.version} (Node ${status.nodeVersion})`],
      ["pid", String(status.pid)],
      ["started", startTime === undefined ? "" : formatAge(now - timestampMs(startTime))],
      ["socket", status.socketPath],
      ["state", status.stateDir],
      ["cache", status.cacheDir],
      ["config", status.configPath],
      ["images", formatCount(status.imageCount)],
      [
        "pulls",
        `${formatCount(status.activePullCount)} active, ${formatCount(status.waitingPullCount)} waiting`,
      ],
    ]),
    ...checks.flatMap(({ name, ok, detail, remedy }) => {
      const line = `${ok ? "✓" : "✗"} ${safeText(name)}: ${safeText(detail)}`;
      return ok || remedy === "" ? [line] : [line, `  → ${safeText(remedy)}`];
    }),
  ];
}
