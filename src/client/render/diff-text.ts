import type { JsonValue } from "@bufbuild/protobuf";
import {
  DiffImagesResponseSchema,
  FileType,
  type DiffImagesResponse,
  type FieldChange,
  type PathChange,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { byteString, printable } from "../../base/bytes.ts";
import { messageJson } from "./json.ts";
import { displayWidth, safeText, truncate, truncateStart } from "./text.ts";
import { formatBytes, formatCount, plural } from "./units.ts";

/** Longest of the words for a field, `content`, and the space after it. */
const fieldWidth = 8;

/**
 * What differs between two images, for a person: `+` what is new, `-` what is gone, `~` what changed, with each of its
 * properties below.
 *
 * @param columns that a line may take; undefined for as long as it gets
 */
export function diffText(diff: DiffImagesResponse, columns: number | undefined): string[] {
  const { changes, truncated, addedCount, removedCount, changedCount } = diff;
  const total = addedCount + removedCount + changedCount;
  if (total === 0n) return ["no difference"];
  const left = total - BigInt(changes.length);
  return [
    ...changes.flatMap((change) => changeLines(change, columns)),
    ...(truncated ? [`… and ${plural(left, "more path")}: --limit lists more`] : []),
    `${formatCount(addedCount)} added, ${formatCount(removedCount)} removed, ${formatCount(changedCount)} changed`,
  ];
}

function changeLines(change: PathChange, columns: number | undefined): string[] {
  const { typeBefore, typeAfter, fields } = change;
  const sign = typeBefore === FileType.UNSPECIFIED ? "+" : typeAfter === FileType.UNSPECIFIED ? "-" : "~";
  const size = sign === "~" ? "" : sizeText(sign === "+" ? typeAfter : typeBefore, change);
  const path = pathText(change);
  const room = columns === undefined ? undefined : columns - 2 - displayWidth(size);
  const shown = room === undefined ? path : truncateStart(path, room);
  const lines = fields.map((field) => fieldText(field));
  return [
    `${sign} ${shown}${size}`,
    ...(columns === undefined ? lines : lines.map((line) => truncate(line, columns))),
  ];
}

function sizeText(type: FileType, { sizeBefore, sizeAfter }: PathChange): string {
  return type === FileType.REGULAR ? `  ${formatBytes(sizeBefore + sizeAfter)}` : "";
}

/** A folder ends in a slash, and the root is one. */
function pathText({ path, typeBefore, typeAfter }: PathChange): string {
  const name = printable(byteString(Buffer.from(path)));
  const type = typeAfter === FileType.UNSPECIFIED ? typeBefore : typeAfter;
  return safeText(type === FileType.DIRECTORY ? `${name}/` : name);
}

function fieldText({ field, before, after }: FieldChange): string {
  return `    ${safeText(field).padEnd(fieldWidth)} ${valueText(before)} → ${valueText(after)}`;
}

/** A digest by its beginning: nobody compares sixty-four digits by eye. */
function valueText(value: string): string {
  return value === "" ? "none" : safeText(value.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]{52}/, "$1"));
}

/** Paths are bytes: `path` for reading, `pathBase64` for programs. */
export function diffJson(diff: DiffImagesResponse): JsonValue {
  const json = messageJson(DiffImagesResponseSchema, diff);
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  return { ...json, changes: withPaths(json["changes"], diff.changes) };
}

/** The messages' JSON with their paths in both forms. */
export function withPaths(
  json: JsonValue | undefined,
  messages: readonly { readonly path: Uint8Array }[],
): JsonValue {
  if (!Array.isArray(json)) return [];
  return json.map((one, at) => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) return one;
    const path = printable(byteString(Buffer.from(messages[at]?.path ?? [])));
    return Object.assign({}, one, { path, pathBase64: one["path"] ?? "" });
  });
}
