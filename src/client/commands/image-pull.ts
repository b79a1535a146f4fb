import type { Command } from "commander";
import { ImageSchema } from "../../../gen/banger/image/v1/image_pb.ts";
import { ImageService, ResolveImageResponseSchema } from "../../../gen/banger/image/v1/image_service_pb.ts";
import type { Published, PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import { BangerError } from "../../base/error.ts";
import { jsonText } from "../../base/json-text.ts";
import { openProgress, silentProgress, type ProgressMode } from "../progress.ts";
import { credentialsFor, withCredentials } from "../credentials.ts";
import { absoluteReference } from "../reference.ts";
import { wantsColour } from "../render/paint.ts";
import { emptyPull, reducePull, type PullModel } from "../render/pull-model.ts";
import { drawSummary, pullSummary } from "../render/pull-summary.ts";
import { messageJson, pretty } from "../render/json.ts";
import { resolveText } from "../render/resolve-text.ts";
import type { RunSession, Session } from "../session.ts";
import { columnsOf, printAnswer, printLines, showLines } from "../terminal.ts";
import type { WaitNotice } from "../wait-notice.ts";
import { jsonOption, progressOption, pullOptions, pullOptionsOf, type PullFlags } from "./options.ts";

/** How a pull is shown, and what it prints at its end. */
export interface ShowFlags {
  readonly progress: ProgressMode;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export function addImagePull(image: Command, run: RunSession, folder: string): void {
  const pull = image
    .command("pull")
    .argument("<ref>", "as debian:bookworm, oci:FOLDER[:TAG], oci-archive:FILE or docker-archive:FILE")
    .description("make a root file system of an OCI image")
    .addOption(progressOption())
    .addOption(jsonOption())
    .option("-q, --quiet", "print the image's id alone")
    .option("-d, --detach", "start it, print its pull id, and leave it to the daemon");
  for (const option of pullOptions()) pull.addOption(option);
  pull.action((reference: string, flags: PullFlags & ShowFlags) => {
    const errors = flags.progress === "json" ? "json" : "text";
    return run(
      async (session) => {
        const credentials = await credentialsFor(reference, flags, session.terminal, session.signal);
        const options = withCredentials(pullOptionsOf(flags, folder), credentials);
        const request = { reference: absoluteReference(reference, folder), options };
        const answers = session.rpc.stream(ImageService.method.pullImage, request, session.signal);
        if (flags.detach === true) return printPullId(answers, session);
        await followPull(answers, flags, session);
        return undefined;
      },
      flags.detach === true
        ? { errors, embed: "Start one with `bangerd`: a pull is left to a daemon that stays." }
        : { errors },
    );
  });
}

export function addImageResolve(image: Command, run: RunSession, folder: string): void {
  const command = image
    .command("resolve")
    .argument("<ref>", "as for image pull")
    .description("tell what a pull would do, and write nothing")
    .addOption(jsonOption());
  for (const option of pullOptions()) command.addOption(option);
  command.action((reference: string, flags: PullFlags & { json?: boolean }) =>
    run(async ({ rpc, signal, terminal }) => {
      const credentials = await credentialsFor(reference, flags, terminal, signal);
      const options = withCredentials(pullOptionsOf(flags, folder), credentials);
      const request = { reference: absoluteReference(reference, folder), options };
      const answer = await rpc.unary(ImageService.method.resolveImage, request, signal);
      const json = (): string => pretty(messageJson(ResolveImageResponseSchema, answer));
      printAnswer(terminal, flags, json, (columns) => resolveText(answer, columns));
      return undefined;
    }),
  );
}

/** Shows the events until `published`, then prints the image. */
export async function followPull(
  answers: AsyncIterable<{ readonly event?: PullEvent | undefined }>,
  flags: ShowFlags,
  { terminal, notice }: Session,
): Promise<void> {
  const model = await watch(answers, flags, terminal, notice);
  const image = model.published?.image;
  if (model.published === undefined || image === undefined) throw unfinished();
  if (flags.quiet === true) printLines(terminal.stdout, [image.id]);
  else if (flags.json === true) printLines(terminal.stdout, [pretty(messageJson(ImageSchema, image))]);
  else if (flags.progress === "json")
    printLines(terminal.stdout, [jsonText(messageJson(ImageSchema, image))]);
  else printSummary(model, model.published, terminal);
}

function printSummary(model: PullModel, published: Published, terminal: Session["terminal"]): void {
  const { stdout, env } = terminal;
  const width = columnsOf(terminal);
  if (width === undefined) return printLines(stdout, pullSummary(published));
  const page = { width, colour: wantsColour(true, env), home: env["HOME"] };
  showLines(terminal, "stdout", drawSummary(model, page));
}

/** Whether the summary takes the place of the live picture: it says the same and more. */
function tellsAll(flags: ShowFlags, { stdout }: Session["terminal"]): boolean {
  return stdout.isTTY === true && flags.quiet !== true && flags.json !== true && flags.progress !== "json";
}

async function watch(
  answers: AsyncIterable<{ readonly event?: PullEvent | undefined }>,
  flags: ShowFlags,
  terminal: Session["terminal"],
  notice: WaitNotice,
): Promise<PullModel> {
  using progress = flags.quiet === true ? silentProgress : openProgress(flags.progress, terminal);
  const { waits } = progress;
  using _shown = waits === undefined ? undefined : notice.showBy(waits);
  let model = emptyPull;
  for await (const { event } of answers) {
    if (event === undefined) continue;
    progress.show(event);
    model = reducePull(model, event);
  }
  if (model.published !== undefined && tellsAll(flags, terminal)) progress.giveWay();
  return model;
}

async function printPullId(
  answers: AsyncIterable<{ readonly event?: PullEvent | undefined }>,
  { terminal }: Session,
): Promise<undefined> {
  for await (const { event } of answers) {
    if (event === undefined) continue;
    printLines(terminal.stdout, [event.pullId]);
    return undefined;
  }
  throw unfinished();
}

function unfinished(): BangerError {
  return new BangerError("INTERNAL", "the daemon ended the pull without an image and without an error", {
    op: "pull",
    hint: "Look at `banger pull ls` and at the daemon's log.",
  });
}
