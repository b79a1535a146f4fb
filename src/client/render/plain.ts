import { durationMs } from "@bufbuild/protobuf/wkt";
import type { PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import { describeMilestone } from "./milestone.ts";
import { safeText } from "./text.ts";
import { formatBytes, formatDuration, plural, shortHex } from "./units.ts";

/** One line for one milestone, for logs; undefined for progress, which logs have no use for. Pure. */
export function plainLine(message: PullEvent): string | undefined {
  const { event } = message;
  switch (event.case) {
    case "waiting":
      return safeText(`waiting: ${event.value.why} (number ${event.value.position} in line)`);
    case "resolved": {
      const { reference, name, manifestDigest } = event.value;
      const what = `${reference} is ${manifestDigest}, to be named ${name}`;
      return `resolve: ${safeText(what)}: ${describeMilestone(message)?.result ?? ""}`;
    }
    case "retrying": {
      const { subject, why, attempt, delay } = event.value;
      const wait = delay === undefined ? "now" : `in ${formatDuration(durationMs(delay))}`;
      return safeText(`retry: ${subject}: try ${attempt} ${wait}: ${why}`);
    }
    case "layerFetched": {
      const { digest, index, sizeBytes, cached, source, duration } = event.value;
      const from = cached ? "in the cache" : source === "" ? "fetched" : `from ${source}`;
      const time = cached || duration === undefined ? "" : `, ${formatDuration(durationMs(duration))}`;
      return safeText(
        `fetch: layer ${index + 1} (${shortHex(digest)}) ${from}, ${formatBytes(sizeBytes)}${time}`,
      );
    }
    case "layerScanned": {
      const { digest, index, entryCount, inflatedBytes, cached, duration } = event.value;
      const how = cached ? "scanned before" : "scanned";
      const time = cached || duration === undefined ? "" : `, ${formatDuration(durationMs(duration))}`;
      const what = `${plural(entryCount, "entry", "entries")}, ${formatBytes(inflatedBytes)} inflated`;
      return safeText(`scan: layer ${index + 1} (${shortHex(digest)}) ${how}, ${what}${time}`);
    }
    default:
      return milestoneLine(message);
  }
}

function milestoneLine(message: PullEvent): string | undefined {
  const milestone = describeMilestone(message);
  if (milestone === undefined) return undefined;
  const time = milestone.durationMs === undefined ? "" : `, ${formatDuration(milestone.durationMs)}`;
  const skipped = milestone.skipped ? "skipped, " : "";
  return `${milestone.stage}: ${skipped}${milestone.result}${time}`;
}
