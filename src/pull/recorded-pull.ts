import { BangerError, hasReason, isReason } from "../base/error.ts";
import type { ImageRecord, PullRecord } from "../store/records.ts";
import type { PullEvent } from "./events.ts";
import type { PullSubscription } from "./subscription.ts";

/** Whether its record says that it is under way. Of one that no job is at, that was its daemon's last word. */
function isUnended({ state }: PullRecord): boolean {
  return state === "waiting" || state === "running";
}

/** A pull that no job is at, as it stands: one that was cut off waits for a daemon that goes on with it. */
export function withoutJob(record: PullRecord): PullRecord {
  return isUnended(record) ? { ...record, state: "waiting" } : record;
}

/** What its record says once it is cancelled: undefined for one that has ended, and stays as it is. */
export function cancelledRecord(record: PullRecord, error: BangerError): PullRecord | undefined {
  if (!isUnended(record)) return undefined;
  const failure = { failureReason: error.reason, failureMessage: error.message };
  return { ...record, state: "cancelled", endedAt: Date.now(), ...failure };
}

/** Watches a pull that no job is at: what its record and the store have of its last event, or the error it ended with. */
export function watchRecord(
  record: PullRecord,
  findImage: (id: string) => Promise<ImageRecord>,
): PullSubscription {
  return { pullId: record.id, events: lastEvent(record, findImage), [Symbol.dispose]: () => {} };
}

async function* lastEvent(
  record: PullRecord,
  findImage: (id: string) => Promise<ImageRecord>,
): AsyncGenerator<PullEvent, void, undefined> {
  if (record.state !== "published") throw failureOf(record);
  const { id: pullId, startedAt, endedAt: time = startedAt, stageTimes } = record;
  const image = await publishedImage(record, findImage);
  // Only what was built was published as well.
  const alreadyPresent = !stageTimes.some(({ stage }) => stage === "publish");
  yield {
    pullId,
    sequence: 1,
    time,
    stage: "publish",
    body: { kind: "published", image, stageTimes, alreadyPresent },
  };
}

async function publishedImage(
  { id, imageId = "" }: PullRecord,
  findImage: (id: string) => Promise<ImageRecord>,
): Promise<ImageRecord> {
  try {
    return await findImage(imageId);
  } catch (error) {
    if (!hasReason(error, "IMAGE_UNKNOWN")) throw error;
    const message = `the pull ${id} published the image ${imageId}, which was deleted since`;
    throw new BangerError("IMAGE_UNKNOWN", message, {
      op: "find pull",
      cause: error,
      hint: "Pull it again.",
    });
  }
}

function failureOf(record: PullRecord): BangerError {
  const { id, failureReason: reason, failureMessage: message } = record;
  if (isUnended(record)) {
    return new BangerError(
      "SHUTTING_DOWN",
      `the pull ${id} was cut off with its daemon, and goes on once \`bangerd\` runs`,
      {
        op: "find pull",
        hint: `Start \`bangerd\` and watch it again, or end it with \`banger pull cancel ${id}\`.`,
      },
    );
  }
  // One that a newer version wrote may have a reason that is not known here.
  return new BangerError(isReason(reason) ? reason : "INTERNAL", message, { op: "pull" });
}
