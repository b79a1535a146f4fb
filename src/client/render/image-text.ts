import { durationMs, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Image, Loss, Platform, StageTime } from "../../../gen/banger/image/v1/image_pb.ts";
import { builderName } from "./milestone.ts";
import { facts, right, table } from "./table.ts";
import { hanging } from "./text.ts";
import { formatAge, formatBytes, formatCount, formatDuration, plural, shortHex } from "./units.ts";

/** All that is known of an image, for a person. */
export function imageText(image: Image, columns?: number): string[] {
  const { config, boot } = image;
  return [
    ...facts(
      [
        ["name", image.name === "" ? "(none)" : image.name],
        ["id", image.id],
        ["path", image.rootfsPath],
        ["size", sizeText(image)],
        [
          "content",
          `${plural(image.inodeCount, "inode")}, ${formatBytes(image.contentBytes)} of file content`,
        ],
        ["reference", image.reference],
        ["repository", image.repository],
        ["platform", platformText(image.platform)],
        ["manifest", image.manifestDigest],
        ["index", image.indexDigest],
        ["config", image.configDigest],
        ["rootfs digest", image.rootfsDigest],
        ["filesystem uuid", image.filesystemUuid],
        ["builder", builderName(image.builder)],
        ["created", image.createTime === undefined ? "" : timestampDate(image.createTime).toISOString()],
        ["stages", stageText(image.stageTimes)],
        ["entrypoint", commandText(config?.entrypoint)],
        ["command", commandText(config?.cmd)],
        ["user", config?.user ?? ""],
        ["working dir", config?.workingDir ?? ""],
        ["init", image.bootReadiness?.initPath ?? ""],
        ["kernel", boot?.kernelPath ?? ""],
        ["kernel version", boot?.kernelVersion ?? ""],
        ["initrd", boot?.initrdPath ?? ""],
        ["modules", boot?.modulesPath ?? ""],
        ["command line", boot?.suggestedCommandLine ?? ""],
        ["root device", boot?.rootDevice ?? ""],
        ["injected", injectedText(image)],
        ["scrubbed", image.scrubbedPaths.join(", ")],
        ["losses", lossCount(image.losses)],
      ],
      columns,
    ),
    ...obstacleLines(image, columns),
    ...layerTable(image, columns),
    ...injectedTable(image, columns),
    ...lossLines(image.losses, image.losses.length, columns),
  ];
}

/** One line an image; on a terminal of so many columns ids are short. */
export function imageTable(images: readonly Image[], now: number, columns?: number): string[] {
  const idOf = columns === undefined ? (id: string): string => id : shortHex;
  return table(
    [
      { heading: "NAME", cut: "end" },
      "ID",
      right("SIZE"),
      right("ON DISK"),
      { heading: "PLATFORM", optional: true },
      { heading: "CREATED", optional: true },
      { heading: "REFERENCE", cut: "start", optional: true },
    ],
    images.map((image) => [
      image.name === "" ? "-" : image.name,
      idOf(image.id),
      formatBytes(image.rootfsSizeBytes),
      formatBytes(image.rootfsAllocatedBytes),
      platformText(image.platform),
      image.createTime === undefined ? "" : formatAge(now - timestampMs(image.createTime)),
      image.reference,
    ]),
    columns,
  );
}

export function platformText(platform: Platform | undefined): string {
  const parts = [platform?.os, platform?.architecture, platform?.variant];
  return parts.filter((part) => part !== undefined && part !== "").join("/");
}

export function sizeText(image: Image): string {
  return `${formatBytes(image.rootfsSizeBytes)}, ${formatBytes(image.rootfsAllocatedBytes)} on disk`;
}

export function stageText(stageTimes: readonly StageTime[]): string {
  return stageTimes
    .map(
      ({ stage, duration }) =>
        `${stage} ${formatDuration(duration === undefined ? 0 : durationMs(duration))}`,
    )
    .join(" · ");
}

function commandText(words: readonly string[] | undefined): string {
  return words === undefined || words.length === 0 ? "" : JSON.stringify(words);
}

function layerTable({ layers }: Image, columns: number | undefined): string[] {
  if (layers.length === 0) return [];
  const rows = layers.map((layer) => [
    shortHex(layer.digest),
    formatBytes(layer.sizeBytes),
    formatBytes(layer.inflatedBytes),
    formatCount(layer.entryCount),
  ]);
  return ["", ...table(["LAYER", right("COMPRESSED"), right("INFLATED"), right("ENTRIES")], rows, columns)];
}

function injectedText({ injectedFiles }: Image): string {
  if (injectedFiles.length === 0) return "";
  const replaced = injectedFiles.filter((file) => file.replaced).length;
  const instead = replaced === 0 ? "" : `, ${formatCount(replaced)} in place of the image's own`;
  return `${plural(injectedFiles.length, "file")} and folders${instead}`;
}

/** Of what was put in, the files: the folders on the way and the links that enable units are in the JSON. */
function injectedTable({ injectedFiles }: Image, columns: number | undefined): string[] {
  const files = injectedFiles.filter((file) => file.digest !== "");
  if (files.length === 0) return [];
  const rows = files.map((file) => [
    file.path,
    file.mode.toString(8).padStart(4, "0"),
    formatBytes(file.sizeBytes),
    file.replaced ? "yes" : "",
  ]);
  return [
    "",
    ...table([{ heading: "INJECTED", cut: "start" }, "MODE", right("SIZE"), "REPLACED"], rows, columns),
  ];
}

export function lossCount(losses: readonly Loss[]): string {
  if (losses.length === 0) return "none";
  return `${formatCount(losses.length)}: the image says this, and the disk does not hold it`;
}

export function lossLines(losses: readonly Loss[], shown: number, columns?: number): string[] {
  const lines = losses
    .slice(0, shown)
    .flatMap(({ kind, path, detail }) => hanging(`  ${kind} ${path}: ${detail}`, columns));
  const more = losses.length - shown;
  return more > 0 ? [...lines, `  and ${formatCount(more)} more: see image inspect`] : lines;
}

export function obstacleLines({ boot, bootReadiness }: Image, columns?: number): string[] {
  return [
    ...(bootReadiness?.obstacles ?? []).map((obstacle) => `! does not boot yet: ${obstacle}`),
    ...(boot?.warnings ?? []).map((warning) => `! kernel: ${warning}`),
  ].flatMap((line) => hanging(line, columns));
}
