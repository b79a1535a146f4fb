import { InvalidArgumentError, Option, type Command } from "commander";
import { ImageService } from "../../../gen/banger/image/v1/image_service_pb.ts";
import { diffJson, diffText } from "../render/diff-text.ts";
import { pretty } from "../render/json.ts";
import { usageJson, usageText } from "../render/usage-text.ts";
import type { RunSession } from "../session.ts";
import { printAnswer } from "../terminal.ts";
import { jsonOption } from "./options.ts";

interface DiffFlags {
  readonly times: boolean;
  readonly limit?: number;
  readonly json?: boolean;
}

interface UsageFlags {
  readonly depth?: number;
  readonly limit?: number;
  readonly json?: boolean;
}

/** What is in images, and what differs between them, from what was stored when they were made. */
export function addImageCompare(image: Command, run: RunSession): void {
  image
    .command("diff")
    .argument("<image>", "the one that it was")
    .argument("<other-image>", "the one that it is")
    .description("compare two images path by path")
    .option("--no-times", "leave modification times out")
    .addOption(limitOption(10_000, "paths that are listed; all are counted", 1000))
    .addOption(jsonOption())
    .action((before: string, after: string, { times, limit, json }: DiffFlags) =>
      run(async ({ rpc, signal, terminal }) => {
        const request = { before, after, ignoreTimes: !times, limit: limit ?? 0 };
        const diff = await rpc.unary(ImageService.method.diffImages, request, signal);
        const toJson = (): string => pretty(diffJson(diff));
        printAnswer(terminal, { json }, toJson, (columns) => diffText(diff, columns));
        return undefined;
      }),
    );
  image
    .command("du")
    .argument("<image>", "name, id, or a unique beginning of an id")
    .argument("[path]", "a folder inside the image", "/")
    .description("tell what is large in an image, by folder, file and layer")
    .addOption(numberOption("--depth <levels>", 64, "levels of folders that are told apart", 1))
    .addOption(limitOption(256, "folders and files that are listed", 20))
    .addOption(jsonOption())
    .action((name: string, path: string, { depth, limit, json }: UsageFlags) =>
      run(async ({ rpc, signal, terminal }) => {
        const request = { image: name, path, depth: depth ?? 0, limit: limit ?? 0 };
        const usage = await rpc.unary(ImageService.method.getImageUsage, request, signal);
        const toJson = (): string => pretty(usageJson(usage));
        printAnswer(terminal, { json }, toJson, (columns) => usageText(usage, columns));
        return undefined;
      }),
    );
}

function limitOption(most: number, says: string, usual: number): Option {
  return numberOption("--limit <number>", most, says, usual);
}

function numberOption(flags: string, most: number, says: string, usual: number): Option {
  return new Option(flags, `${says}; ${usual} where nothing is said`).argParser((text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
    if (value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from 1 to ${most}.`);
  });
}
