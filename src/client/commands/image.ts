import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Option, type Command } from "commander";
import { ImageSchema, type Image } from "../../../gen/banger/image/v1/image_pb.ts";
import {
  ImageOrder,
  ImageService,
  VerifyImageResponseSchema,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { VerifyDepth } from "../../../gen/banger/image/v1/pull_pb.ts";
import { BangerError, asBangerError, errnoOf } from "../../base/error.ts";
import { exitCodeOf, exitCodes, type ExitCode } from "../exit-code.ts";
import { allPages, pageSize } from "../pages.ts";
import { hintLines } from "../render/error.ts";
import { imageTable, imageText } from "../render/image-text.ts";
import { messageJson, pretty } from "../render/json.ts";
import { formatBytes } from "../render/units.ts";
import { isSound, verifyText } from "../render/verify-text.ts";
import { hanging, safeText } from "../render/text.ts";
import { machineOf } from "../vmm/machine.ts";
import { shellWord } from "../../base/shell-word.ts";
import { renderMachine, vmms, type Vmm } from "../vmm/render.ts";
import type { RunSession, Session } from "../session.ts";
import { columnsOf, printAnswer, printLines, showLines, stderrColour } from "../terminal.ts";
import { tellError } from "../run-session.ts";
import { addImageCompare } from "./image-compare.ts";
import { addImageExport } from "./image-export.ts";
import { addImageFiles } from "./image-files.ts";
import { addImagePull, addImageResolve } from "./image-pull.ts";
import { jsonOption } from "./options.ts";

interface JsonFlag {
  readonly json?: boolean;
}

interface InspectFlags extends JsonFlag {
  readonly vmm?: Vmm;
  readonly disk?: string;
}

interface ListFlags extends JsonFlag {
  readonly all?: boolean;
  readonly prefix?: string;
  readonly repository?: string;
  readonly sort: "name" | "newest" | "largest";
}

const orders: Readonly<Record<ListFlags["sort"], ImageOrder>> = {
  name: ImageOrder.NAME,
  newest: ImageOrder.NEWEST_FIRST,
  largest: ImageOrder.LARGEST_FIRST,
};

export function addImageCommands(program: Command, run: RunSession, folder: string): void {
  const image = program.command("image").description("pull images, and look after them");
  addImagePull(image, run, folder);
  image
    .command("ls")
    .description("list images")
    .option("-a, --all", "those whose name a newer image took over as well")
    .option("--prefix <text>", "only names that begin so")
    .option("--repository <repository>", "only images of it")
    .addOption(new Option("--sort <by>", "order").choices(["name", "newest", "largest"]).default("name"))
    .addOption(jsonOption())
    .action((flags: ListFlags) => run((session) => listImages(flags, session)));
  image
    .command("inspect")
    .argument("<image>", "name, id, or a unique beginning of an id")
    .description("tell all that is known of an image")
    .addOption(jsonOption().conflicts("vmm"))
    .addOption(new Option("--vmm <vmm>", "print what starts it in a virtual machine").choices(vmms))
    .option("--disk <file>", "with --vmm: the machine's own copy of the root file system")
    .action((name: string, flags: InspectFlags) =>
      run((session) => inspectImage(name, flags, folder, session)),
    );
  image
    .command("rename")
    .argument("<image>", "name, id, or a unique beginning of an id")
    .argument("<name>", "what it is called from now on")
    .description("give an image another name")
    .action((name: string, newName: string) => run((session) => renameImage(name, newName, session)));
  image
    .command("rm")
    .argument("<image...>", "names, ids, or unique beginnings of ids")
    .description("delete images")
    .action((names: readonly string[]) => run((session) => removeImages(names, session)));
  image
    .command("verify")
    .argument("<image>", "name, id, or a unique beginning of an id")
    .description("read an image back, and compare it with what its layers say")
    .option("--full", "the contents of all files as well")
    .addOption(jsonOption())
    .action((name: string, flags: JsonFlag & { full?: boolean }) =>
      run((session) => verifyImage(name, flags, session)),
    );
  addImageResolve(image, run, folder);
  addImageFiles(image, run);
  addImageCompare(image, run);
  addImageExport(image, run, folder);
}

function nothingListed({ all, prefix, repository }: ListFlags): string {
  if ((prefix ?? repository) !== undefined)
    return "There are no such images: `banger image ls --all` lists all.";
  return `There are no images${all === true ? "" : " with a name"} yet: \`banger image pull REF\` makes one.`;
}

async function listImages(flags: ListFlags, { rpc, signal, terminal }: Session): Promise<undefined> {
  const pages = await allPages((pageToken) =>
    rpc.unary(
      ImageService.method.listImages,
      {
        pageSize,
        pageToken,
        namePrefix: flags.prefix ?? "",
        repository: flags.repository ?? "",
        order: orders[flags.sort],
        includeNameless: flags.all ?? false,
      },
      signal,
    ),
  );
  const images = pages.flatMap((page) => page.images);
  const json = (): string => pretty({ images: images.map((image) => messageJson(ImageSchema, image)) });
  printAnswer(terminal, flags, json, (columns) => imageTable(images, Date.now(), columns));
  if (images.length === 0 && flags.json !== true) {
    showLines(terminal, "stderr", hanging(nothingListed(flags), columnsOf(terminal, "stderr")));
  }
  return undefined;
}

async function inspectImage(
  name: string,
  flags: InspectFlags,
  folder: string,
  session: Session,
): Promise<ExitCode | undefined> {
  const { rpc, signal, terminal } = session;
  const { vmm } = flags;
  if (vmm === undefined && flags.disk !== undefined) {
    throw new BangerError("OPTION_INVALID", "--disk goes with --vmm", {
      op: "read options",
      hint: `Add --vmm, which takes ${vmms.join(", ")}.`,
    });
  }
  const { image } = await rpc.unary(ImageService.method.getImage, { image: name }, signal);
  if (image === undefined) return exitCodes.notFound;
  const json = (): string => pretty(messageJson(ImageSchema, image));
  if (vmm !== undefined) await printMachine(image, { ...flags, vmm }, folder, terminal);
  else printAnswer(terminal, flags, json, (columns) => imageText(image, columns));
  return undefined;
}

async function printMachine(
  image: Image,
  flags: InspectFlags & { readonly vmm: Vmm },
  folder: string,
  terminal: Session["terminal"],
): Promise<void> {
  const disk = flags.disk === undefined ? undefined : resolve(folder, flags.disk);
  const { lines, warnings } = renderMachine(flags.vmm, machineOf(image, disk));
  printLines(terminal.stdout, lines);
  const missing = disk === undefined || disk === image.rootfsPath ? [] : await diskWarnings(disk, image);
  const obstacles = image.bootReadiness?.obstacles ?? [];
  showLines(
    terminal,
    "stderr",
    [...obstacles, ...missing, ...warnings].map((warning) => `! ${safeText(warning)}`),
  );
}

/** What a machine would not start from: whoever asks may be about to make it. */
async function diskWarnings(disk: string, { name, id }: Image): Promise<readonly string[]> {
  try {
    const stats = await stat(disk);
    return stats.isFile() || stats.isBlockDevice()
      ? []
      : [`the disk ${disk} is neither a file nor a block device`];
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "ENOENT" && code !== "ENOTDIR")
      return [`the disk ${disk} can't be looked at (${code ?? "unknown"})`];
    const words = ["banger", "image", "export", name === "" ? id : name, "-o", shellWord(disk)];
    return [`the disk ${disk} is not there yet: \`${words.join(" ")}\` makes one`];
  }
}

async function renameImage(
  name: string,
  newName: string,
  { rpc, signal, terminal }: Session,
): Promise<undefined> {
  const { image } = await rpc.unary(ImageService.method.renameImage, { image: name, newName }, signal);
  printLines(terminal.stderr, [`${image?.id ?? name} is now ${image?.name ?? newName}`]);
  return undefined;
}

/** Deletes as many as can be; the exit code is that of the first that can't. */
async function removeImages(
  names: readonly string[],
  { rpc, signal, terminal }: Session,
): Promise<ExitCode | undefined> {
  let exitCode: ExitCode | undefined;
  for (const name of names) {
    try {
      const answer = await rpc.unary(ImageService.method.deleteImage, { image: name }, signal);
      printLines(terminal.stdout, [answer.id]);
      printLines(terminal.stderr, [`${name} is deleted: ${formatBytes(answer.freedBytes)} freed`]);
    } catch (error) {
      const failure = asBangerError(error, "delete image");
      if (signal.aborted || names.length === 1) throw failure;
      tellError(failure, "text", terminal);
      exitCode ??= exitCodeOf(failure);
    }
  }
  return exitCode;
}

async function verifyImage(
  name: string,
  flags: JsonFlag & { full?: boolean },
  { rpc, signal, terminal }: Session,
): Promise<ExitCode | undefined> {
  const depth = flags.full === true ? VerifyDepth.FULL : VerifyDepth.METADATA;
  const answer = await rpc.unary(ImageService.method.verifyImage, { image: name, depth }, signal);
  const json = (): string => pretty(messageJson(VerifyImageResponseSchema, answer));
  printAnswer(terminal, flags, json, (columns) => verifyText(name, answer, columns));
  if (isSound(answer)) return undefined;
  const next = `Delete it with \`banger image rm ${name}\`, then pull it again.`;
  showLines(terminal, "stderr", hintLines(next, stderrColour(terminal), columnsOf(terminal, "stderr")));
  return exitCodes.failed;
}
