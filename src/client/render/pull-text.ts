import { timestampMs } from "@bufbuild/protobuf/wkt";
import { PullState, type Pull } from "../../../gen/banger/image/v1/pull_pb.ts";
import { table } from "./table.ts";
import { formatAge, formatDuration } from "./units.ts";

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

/** One line a pull. */
export function pullTable(pulls: readonly Pull[], now: number): string[] {
  return table(
    ["ID", "STATE", "STARTED", "TOOK", "NAME", "IMAGE", "REFERENCE", "WHY"],
    pulls.map((pull) => {
      const start = pull.startTime === undefined ? undefined : timestampMs(pull.startTime);
      const end = pull.endTime === undefined ? now : timestampMs(pull.endTime);
      return [
        pull.id,
        stateText(pull.state),
        start === undefined ? "" : formatAge(now - start),
        start === undefined ? "" : formatDuration(end - start),
        pull.name,
        pull.imageId,
        pull.reference,
        pull.failureReason,
      ];
    }),
  );
}
