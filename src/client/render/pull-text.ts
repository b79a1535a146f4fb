import { timestampMs } from "@bufbuild/protobuf/wkt";
import { PullState, type Pull } from "../../../gen/banger/image/v1/pull_pb.ts";
import { right, table } from "./table.ts";
import { formatAge, formatDuration, shortHex } from "./units.ts";

const stateNames: ReadonlyMap<PullState, string> = new Map([
  [PullState.WAITING, "waiting"],
  [PullState.RUNNING, "running"],
  [PullState.PUBLISHED, "published"],
  [PullState.FAILED, "failed"],
  [PullState.CANCELLED, "cancelled"],
]);

export function stateText(state: PullState): string {
  return stateNames.get(state) ?? "unknown";
}

/** How long it took, or takes so far; nothing of one that waits, which may be for as long as no daemon runs. */
function tookText({ state, startTime, endTime }: Pull, now: number): string {
  if (startTime === undefined || (endTime === undefined && state === PullState.WAITING)) return "";
  const end = endTime === undefined ? now : timestampMs(endTime);
  return formatDuration(end - timestampMs(startTime));
}

/** One line a pull; on a terminal of so many columns ids of images are short. */
export function pullTable(pulls: readonly Pull[], now: number, columns?: number): string[] {
  const idOf = columns === undefined ? (id: string): string => id : shortHex;
  return table(
    [
      "ID",
      "STATE",
      "STARTED",
      right("TOOK"),
      { heading: "NAME", cut: "end" },
      { heading: "IMAGE", optional: true },
      { heading: "REFERENCE", cut: "start", optional: true },
      "WHY",
    ],
    pulls.map((pull) => {
      const start = pull.startTime === undefined ? undefined : timestampMs(pull.startTime);
      return [
        pull.id,
        stateText(pull.state),
        start === undefined ? "" : formatAge(now - start),
        tookText(pull, now),
        pull.name,
        idOf(pull.imageId),
        pull.reference,
        pull.failureReason,
      ];
    }),
    columns,
  );
}
