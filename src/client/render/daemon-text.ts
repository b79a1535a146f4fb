import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { GetDaemonStatusResponse } from "../../../gen/banger/image/v1/daemon_service_pb.ts";
import { facts } from "./table.ts";
import { hanging } from "./text.ts";
import { formatAge, formatCount } from "./units.ts";

/** How a daemon is, for a person: its checks last, each with what to do where it is not met. */
export function daemonText(status: GetDaemonStatusResponse, now: number, columns?: number): string[] {
  const { startTime, checks } = status;
  const runs = status.pid !== 0;
  const running: readonly (readonly [string, string])[] = [
    ["pid", String(status.pid)],
    ["started", startTime === undefined ? "" : formatAge(now - timestampMs(startTime))],
  ];
  const counts: readonly (readonly [string, string])[] = [
    ["images", formatCount(status.imageCount)],
    [
      "pulls",
      `${formatCount(status.activePullCount)} active, ${formatCount(status.waitingPullCount)} waiting`,
    ],
  ];
  return [
    ...facts(
      [
        ["version", `${status.version} (Node ${status.nodeVersion})`],
        ...(runs ? running : []),
        ["socket", runs ? status.socketPath : `${status.socketPath} (no daemon answers)`],
        ["state", status.stateDir],
        ["cache", status.cacheDir],
        ["temporary", status.tempDir],
        ["config", status.configFound ? status.configPath : `${status.configPath} (none there)`],
        ...(runs ? counts : []),
      ],
      columns,
    ),
    ...checks
      .flatMap(({ name, ok, detail, remedy }) => {
        const line = `${ok ? "✓" : "✗"} ${name}: ${detail}`;
        return ok || remedy === "" ? [line] : [line, `  → ${remedy}`];
      })
      .flatMap((line) => hanging(line, columns)),
  ];
}
