import { FileInfoSchema, FileType, type FileInfo } from "../../../gen/banger/image/v1/image_service_pb.ts";
import type { JsonValue } from "@bufbuild/protobuf";
import { byteString, printable } from "../../base/bytes.ts";
import { messageJson } from "./json.ts";
import { right, table } from "./table.ts";
import { formatBytes } from "./units.ts";

/** A folder of an image as `ls -l` shows one: mode, links, owner, size, time, name. */
export function fileTable(files: readonly FileInfo[], columns?: number): string[] {
  const rows = files.map((file) => [
    modeText(file),
    String(file.linkCount),
    `${file.uid}:${file.gid}`,
    isDevice(file) ? `${file.deviceMajor},${file.deviceMinor}` : formatBytes(file.sizeBytes),
    file.modifyTime === undefined ? "" : secondText(file.modifyTime.seconds),
    nameText(file),
  ]);
  return table(
    ["MODE", right("LINKS"), right("OWNER"), right("SIZE"), "MODIFIED", { heading: "NAME", cut: "end" }],
    rows,
    columns,
  );
}

/** Not the next second, whatever part of this one has passed. */
function secondText(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
}

/** Names are bytes: `name` and `linkTarget` for reading, `nameBase64` and `linkTargetBase64` for programs. */
export function fileJson(file: FileInfo): JsonValue {
  const json = messageJson(FileInfoSchema, file);
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const { name, linkTarget, ...rest } = json;
  return {
    name: shown(file.name),
    ...rest,
    linkTarget: shown(file.linkTarget),
    nameBase64: name ?? "",
    linkTargetBase64: linkTarget ?? "",
  };
}

const typeLetters: ReadonlyMap<FileType, string> = new Map([
  [FileType.REGULAR, "-"],
  [FileType.DIRECTORY, "d"],
  [FileType.SYMLINK, "l"],
  [FileType.CHARACTER_DEVICE, "c"],
  [FileType.BLOCK_DEVICE, "b"],
  [FileType.FIFO, "p"],
  [FileType.SOCKET, "s"],
]);

/** As `-rwsr-xr-x`: the special bits take the place of the execute bits, POSIX ls. */
export function modeText({ type, mode }: Pick<FileInfo, "type" | "mode">): string {
  const triple = (shift: number, special: boolean, letter: string): string => {
    const bits = mode >> shift;
    const execute = (bits & 1) === 1;
    const last = special ? (execute ? letter : letter.toUpperCase()) : execute ? "x" : "-";
    return `${(bits & 4) === 0 ? "-" : "r"}${(bits & 2) === 0 ? "-" : "w"}${last}`;
  };
  const user = triple(6, (mode & 0o4000) !== 0, "s");
  const group = triple(3, (mode & 0o2000) !== 0, "s");
  const other = triple(0, (mode & 0o1000) !== 0, "t");
  return `${typeLetters.get(type) ?? "?"}${user}${group}${other}`;
}

function nameText(file: FileInfo): string {
  const name = shown(file.name);
  return file.type === FileType.SYMLINK ? `${name} -> ${shown(file.linkTarget)}` : name;
}

function shown(bytes: Uint8Array): string {
  return printable(byteString(Buffer.from(bytes)));
}

function isDevice({ type }: FileInfo): boolean {
  return type === FileType.CHARACTER_DEVICE || type === FileType.BLOCK_DEVICE;
}
