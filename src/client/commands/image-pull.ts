import type { Command } from "commander";
import { ImageSchema } from "../../../gen/banger/image/v1/image_pb.ts";
import { ImageService, ResolveImageResponseSchema } from "../../../gen/banger/image/v1/image_service_pb.ts";
import type { Published, PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import { BangerError } from "../../base/error.ts";
import { jsonText } from "../../base/json-text.ts";
import { openProgress, silentProgress, type ProgressMode } from "../progress.ts";
import { credentialsFor, withCredentials } from "../credentials.ts";
import { absoluteReference } from "../reference.ts";
import { pullSummary } from "../render/image-text.ts";
import { messageJson, pretty } from "../render/json.ts";
import { resolveText } from "../render/resolve-text.ts";
import type { RunSession, Session } from "../session.ts";
import { printLines } from "../terminal.ts";
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
        const credentials = await credentialsFor(reference, flags, session.terminal);
        const options = withCredentials(pullOptionsOf(flags, folder), credentials);
        const request = { reference: absoluteReference(reference, folder), options };
        const answers = session.rpc.stream(ImageService.method.pullImage, request, session.signal);
        if (flags.detach === true) return printPullId(answers, session);
        await followPull(answers, flags, session);
        return undefined;
      },
      flags.detach === true ? { errors, embed: false } : { errors },
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
      const credentials = await credentialsFor(reference, flags, terminal);
      const options = withCredentials(pullOptionsOf(flags, folder), credentials);
      const request = { reference: absoluteReference(reference, folder), options };
      const answer = await rpc.unary(ImageService.method.resolveImage, request, signal);
      const json = (): string => pretty(messageJson(ResolveImageResponseSchema, answer));
      printLines(terminal.stdout, flags.json === true ? [json()] : resolveText(answer));
      return undefined;
    }),
  );
}

/** Shows the events until `published`, then prints the image. */
export async function followPull(
  answers: AsyncIterable<{ readonly event?: PullEvent | undefined }>,
  flags: ShowFlags,
  { terminal }: Session,
): Promise<void> {
  const published = await watch(answers, flags, terminal);
  const { image } = published;
  if (image === undefined) throw unfinished();
  if (flags.quiet === true) printLines(terminal.stdout, [image.id]);
  else if (flags.json === true) printLines(terminal.stdout, [pretty(messageJson(ImageSchema, image))]);
  else if (flags.progress === "json")
    printLines(terminal.stdout, [jsonText(messageJson(ImageSchema, image))]);
  else printLines(terminal.stdout, pullSummary(published));
}

async function watch(
  answers: AsyncIterable<{ readonly event?: PullEvent | undefined }>,
  flags: ShowFlags,
  terminal: Session["terminal"],
): Promise<Published> {
  using progress = flags.quiet === true ? silentProgress : await openProgress(flags.progress, terminal);
  let published: Published | undefined;
  for await (const { event } of answers) {
    if (event === undefined) continue;
    progress.show(event);
    if (event.event.case === "published") published = event.event.value;
  }
  if (published === undefined) throw unfinished();
  return published;
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
