import type { JsonValue } from "@bufbuild/protobuf";
import {
  GetImageUsageResponseSchema,
  type GetImageUsageResponse,
  type LayerUsage,
  type PathUsage,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { byteString, printable } from "../../base/bytes.ts";
import { withPaths } from "./diff-text.ts";
import { messageJson } from "./json.ts";
import { right, table } from "./table.ts";
import { truncateStart } from "./text.ts";
import { formatBytes, formatCount, plural, shortHex } from "./units.ts";

/** Columns of size and count before a path, and what is between them. */
const beforePath = 8 + 2 + 9 + 2;

/**
 * What is large in an image, for a person.
 *
 * @param columns that a line may take; undefined for as long as it gets
 */
export function usageText(usage: GetImageUsageResponse, columns: number | undefined): string[] {
  const { total, folders, files, layers, layersKnown, truncated } = usage;
  const sum = `${formatBytes(total?.contentBytes ?? 0n)} in ${plural(total?.inodeCount ?? 0n, "inode")}`;
  const ofLayers = layersKnown
    ? table(
        ["LAYER", right("SIZE"), right("INFLATED"), right("INODES"), "DIGEST"],
        layers.map(layerRow),
        columns,
      )
    : ["Nobody knows the layers: the image was made by an earlier version. Pull it anew to see them."];
  return [
    sum,
    ...section(pathTable("FOLDER", folders, columns)),
    ...section(pathTable("FILE", files, columns)),
    ...section(ofLayers),
    ...(truncated ? ["", "There are more folders or files: --limit lists more."] : []),
  ];
}

function section(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", ...lines];
}

function pathTable(heading: string, usages: readonly PathUsage[], columns: number | undefined): string[] {
  if (usages.length === 0) return [];
  const rows = usages.map(({ path, usage }) => {
    const text = printable(byteString(Buffer.from(path)));
    const shown = columns === undefined ? text : truncateStart(text, columns - beforePath);
    return [formatBytes(usage?.contentBytes ?? 0n), formatCount(usage?.inodeCount ?? 0n), shown];
  });
  return table([right("SIZE"), right("INODES"), heading], rows, columns);
}

function layerRow({ index, digest, usage, inflatedBytes }: LayerUsage): readonly string[] {
  return [
    digest === "" ? "injected" : String(index + 1),
    formatBytes(usage?.contentBytes ?? 0n),
    digest === "" ? "" : formatBytes(inflatedBytes),
    formatCount(usage?.inodeCount ?? 0n),
    digest === "" ? "" : shortHex(digest),
  ];
}

/** Paths are bytes: `path` for reading, `pathBase64` for programs. */
export function usageJson(usage: GetImageUsageResponse): JsonValue {
  const json = messageJson(GetImageUsageResponseSchema, usage);
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const folders = withPaths(json["folders"], usage.folders);
  return { ...json, folders, files: withPaths(json["files"], usage.files) };
}
