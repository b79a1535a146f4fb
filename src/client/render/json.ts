import { toJson, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import { PullEventSchema, type PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import type { BangerError } from "../../base/error.ts";
import { jsonText } from "../../base/json-text.ts";

/**
 * The protobuf JSON of a message, every field there even where it is empty, so that `.losses` is a list always.
 * 64-bit numbers are strings, as protobuf's JSON mapping has them.
 */
export function messageJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}

/** JSON for people and `jq` alike. */
export function pretty(value: JsonValue): string {
  return jsonText(value, 2);
}

/** One event on one line. */
export function eventLine(event: PullEvent): string {
  return jsonText(messageJson(PullEventSchema, event));
}

/** An error as the last line of a stream of events. */
export function errorLine(error: BangerError): string {
  return jsonText({ error: errorJson(error) });
}

export function errorJson(error: BangerError): JsonValue {
  const { reason, message, hint, fields, retryAfterMs, facts } = error;
  return {
    reason,
    message,
    hint,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(fields.length === 0
      ? {}
      : { fields: fields.map(({ field, description }) => ({ field, description })) }),
    ...(Object.keys(facts).length === 0 ? {} : { facts: { ...facts } }),
  };
}
