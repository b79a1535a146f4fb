import type { Image } from "../../../gen/banger/image/v1/image_pb.ts";
import type { Published } from "../../../gen/banger/image/v1/pull_pb.ts";
import { lossCount, lossLines, obstacleLines, sizeText, stageText } from "./image-text.ts";
import { lossSentences } from "./loss-text.ts";
import { drawLine, paint, type Line } from "./paint.ts";
import type { PullModel } from "./pull-model.ts";
import { stageChart } from "./stage-chart.ts";
import { facts } from "./table.ts";
import { padEnd, safeText, wrapWords } from "./text.ts";
import { formatBytes, formatDuration, shortHex } from "./units.ts";

/** The terminal that a summary is drawn for, and whose home it is. */
export interface Page {
  readonly width: number;
  readonly colour: boolean;
  readonly home: string | undefined;
}

/** Losses named in a log; `image inspect` has them all. */
const lossesShown = 5;
const labelWidth = 7;

/** What a pull came to, for a log or a program that reads lines. */
export function pullSummary(published: Published): string[] {
  const { image, losses, alreadyPresent, stageTimes } = published;
  if (image === undefined) return [];
  return [
    ...facts([
      ["name", image.name],
      ["id", image.id],
      ["path", image.rootfsPath],
      ["size", sizeText(image)],
      ["manifest", image.manifestDigest],
      ["time", alreadyPresent ? "it was there already" : stageText(stageTimes)],
      ["losses", lossCount(losses)],
    ]),
    ...lossLines(losses, lossesShown),
    ...obstacleLines(image),
    ...nextSteps(image).map(({ command, does }) => `→ ${command}   ${does}`),
  ];
}

/**
 * What a pull came to, for a person at a terminal: no line is wider than the page, but for what is to be copied whole,
 * the path and the commands. Pure.
 */
export function drawSummary(model: PullModel, { width, colour, home }: Page): string[] {
  const { published } = model;
  const image = published?.image;
  if (published === undefined || image === undefined) return [];
  const fact = (label: string, text: string): string[] => {
    const lines = wrapWords(safeText(text), Math.max(1, width - labelWidth - 4));
    return lines.map((line, at) =>
      drawLine(
        [{ text: `  ${padEnd(at === 0 ? label : "", labelWidth)}  `, style: "dim" }, { text: line }],
        width,
        colour,
      ),
    );
  };
  const chart = published.alreadyPresent ? [] : stageChart(model.stages, width - 2);
  return [
    drawLine(titleLine(model, image), width, colour),
    "",
    ...chart.map((line) => drawLine([{ text: "  " }, ...line], width, colour)),
    ...(chart.length === 0 ? [] : [""]),
    paint({ text: `  ${padEnd("rootfs", labelWidth)}  `, style: "dim" }, colour) +
      safeText(underHome(image.rootfsPath, home)),
    ...fact(
      "size",
      `${formatBytes(image.rootfsSizeBytes)}, of which ${formatBytes(image.rootfsAllocatedBytes)} take space on this disk`,
    ),
    ...fact("from", `${image.reference} (${shortHex(image.manifestDigest)})`),
    ...lossFacts(published).flatMap((text, at) => fact(at === 0 ? "losses" : "", text)),
    ...bootFacts(image).flatMap((text, at) => fact(at === 0 ? "boots" : "", text)),
    "",
    ...nextSteps(image).flatMap(({ command, does }) => stepLines(command, does, width, colour)),
  ];
}

function titleLine({ published, startedAt, endedAt }: PullModel, image: Image): Line {
  const took = startedAt === undefined || endedAt === undefined ? undefined : endedAt - startedAt;
  const name = safeText(image.name === "" ? image.id : image.name);
  const ready =
    published?.alreadyPresent === true
      ? " was there already; nothing was built"
      : took === undefined
        ? " is ready"
        : ` is ready, in ${formatDuration(took)}`;
  return [{ text: "✓ ", style: "green" }, { text: name, style: "bold" }, { text: ready }];
}

function lossFacts({ losses }: Published): readonly string[] {
  return losses.length === 0 ? ["none: the disk holds all that the image says"] : lossSentences(losses);
}

/** Whether it will come up, and with what. */
function bootFacts({ boot, bootReadiness }: Image): readonly string[] {
  const obstacles = bootReadiness?.obstacles ?? [];
  const warnings = (boot?.warnings ?? []).map((warning) => `kernel: ${warning}`);
  if (obstacles.length > 0) return [...obstacles.map((one) => `not yet: ${one}`), ...warnings];
  const init = bootReadiness?.initPath ?? "";
  if (init === "") return warnings;
  const kernel = boot === undefined || boot.kernelPath === "" ? undefined : boot;
  if (kernel === undefined) return [`${init}, once it has a kernel`];
  const named = kernel.kernelName === "" ? "" : ` (${kernel.kernelName})`;
  return [`${init}, with Linux ${kernel.kernelVersion}${named}`, ...warnings];
}

interface Step {
  readonly command: string;
  readonly does: string;
}

/** What to do with the image next, or what it lacks first. */
export function nextSteps(image: Image): readonly Step[] {
  const name = safeText(image.name === "" ? image.id : image.name);
  const inspect = { command: `banger image inspect ${name}`, does: "all that is known of it" };
  const obstacles = image.bootReadiness?.obstacles ?? [];
  if (obstacles.length > 0) return [inspect];
  if ((image.boot?.kernelPath ?? "") !== "") {
    return [{ command: `banger image inspect ${name} --vmm qemu`, does: "prints what starts it" }];
  }
  return [
    inspect,
    // Not `kernel catalog`: whether a catalog is configured, and offers any, only the daemon knows.
    { command: "banger kernel pull --help", does: "where to get kernels for --kernel-ref" },
  ];
}

/** The command stays whole, to be copied; what it does stands beside it where there is room. */
function stepLines(command: string, does: string, width: number, colour: boolean): readonly string[] {
  const start = drawLine([{ text: "→ ", style: "cyan" }, { text: command }], 2 + command.length, colour);
  if (2 + command.length + 3 + does.length > width) return [start];
  return [start + drawLine([{ text: `   ${does}`, style: "dim" }], width, colour)];
}

/** With `~` for the home, as shells read it; not where that would need quotes. */
function underHome(path: string, home: string | undefined): string {
  if (home === undefined || home === "/" || !path.startsWith(`${home}/`)) return path;
  const rest = path.slice(home.length);
  return /^[\w/.+-]+$/.test(rest) ? `~${rest}` : path;
}
