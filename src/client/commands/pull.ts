import type { Command } from "commander";
import { ImageService } from "../../../gen/banger/image/v1/image_service_pb.ts";
import { PullSchema, PullState, type Pull } from "../../../gen/banger/image/v1/pull_pb.ts";
import { allPages, pageSize } from "../pages.ts";
import { messageJson, pretty } from "../render/json.ts";
import { pullTable, stateText } from "../render/pull-text.ts";
import { safeText } from "../render/text.ts";
import type { RunSession } from "../session.ts";
import { printAnswer, printLines } from "../terminal.ts";
import { followPull, type ShowFlags } from "./image-pull.ts";
import { jsonOption, progressOption } from "./options.ts";

/** Pulls that are listed where nobody asks for all: what fits into a terminal's memory of the last days. */
const shortList = 50;

export function addPullCommands(program: Command, run: RunSession): void {
  const pull = program.command("pull").description("look after pulls, under way or ended");
  pull
    .command("ls")
    .description(`list pulls, newest first; the last ${shortList} unless told otherwise`)
    .option("-a, --all", "the whole history")
    .option("--active", "only those that have not ended")
    .addOption(jsonOption())
    .action((flags: { active?: boolean; all?: boolean; json?: boolean }) =>
      run(async ({ rpc, signal, terminal }) => {
        const activeOnly = flags.active ?? false;
        const { listPulls } = ImageService.method;
        const pages =
          flags.all === true
            ? await allPages((pageToken) => rpc.unary(listPulls, { pageSize, pageToken, activeOnly }, signal))
            : [await rpc.unary(listPulls, { pageSize: shortList, activeOnly }, signal)];
        const pulls = pages.flatMap((page) => page.pulls);
        const json = (): string => pretty({ pulls: pulls.map((one) => messageJson(PullSchema, one)) });
        printAnswer(terminal, flags, json, (columns) => pullTable(pulls, Date.now(), columns));
        return undefined;
      }),
    );
  pull
    .command("watch")
    .argument("<id>", "its id, or a unique beginning of it")
    .description("show a pull until it ends")
    .addOption(progressOption())
    .addOption(jsonOption())
    .option("-q, --quiet", "print the image's id alone")
    .action((pullId: string, flags: ShowFlags) =>
      run(
        async (session) => {
          const answers = session.rpc.stream(ImageService.method.watchPull, { pullId }, session.signal);
          await followPull(answers, flags, session);
          return undefined;
        },
        { errors: flags.progress === "json" ? "json" : "text" },
      ),
    );
  pull
    .command("cancel")
    .argument("<id>", "its id, or a unique beginning of it")
    .description("end a pull, whoever watches it")
    .action((pullId: string) =>
      run(async ({ rpc, signal, terminal }) => {
        const answer = await rpc.unary(ImageService.method.cancelPull, { pullId }, signal);
        printLines(terminal.stderr, [cancelledLine(answer.pull, pullId)]);
        return undefined;
      }),
    );
}

/** What became of it; why, where it had failed before. */
function cancelledLine(pull: Pull | undefined, pullId: string): string {
  if (pull === undefined) return `${safeText(pullId)} is ended`;
  const { id, state, failureMessage } = pull;
  const why = state === PullState.FAILED ? `: ${failureMessage}` : "";
  return safeText(`${id} is ${stateText(state)}${why}`);
}
