import { Argument, type Command } from "commander";
import { ImageService } from "../../../gen/banger/image/v1/image_service_pb.ts";
import { KernelService } from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { commandSpec } from "../command-spec.ts";
import { complete } from "../completion/complete.ts";
import { completionScripts, shells, type Shell } from "../completion/scripts.ts";
import { pageSize } from "../pages.ts";
import { safeText } from "../render/text.ts";
import type { RunSession, Session } from "../session.ts";
import { printLines, type Terminal } from "../terminal.ts";

export function addCompletionCommands(program: Command, run: RunSession, terminal: Terminal): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>").choices(shells))
    .description("print a shell's completion of this program's commands")
    .action((shell: Shell) => {
      terminal.stdout.write(completionScripts[shell]);
    });
  program
    // Options of the line that is being completed are no options of this one.
    .command("complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action((words: readonly string[]) => answer(program, words, run, terminal));
}

/** What the shell's script asks for. What the daemon would know is left out where none runs: this starts none. */
async function answer(
  program: Command,
  words: readonly string[],
  run: RunSession,
  terminal: Terminal,
): Promise<void> {
  const { candidates, also, prefix } = complete(commandSpec(program), words);
  printLines(
    terminal.stdout,
    candidates.map(({ word, description }) => `${word}\t${description}`),
  );
  if (also === "image" || also === "kernel" || also === "pull") {
    await run(
      async (session) => {
        const names = await namesOf[also](prefix, session);
        printLines(
          terminal.stdout,
          names.filter((name) => name.startsWith(prefix)).map((name) => `${safeText(name)}\t`),
        );
        return undefined;
      },
      { embed: "Start one with `bangerd`.", answerMs: underCursorMs },
    );
  }
  printLines(terminal.stdout, [also === "file" || also === "folder" ? `:${also}` : ":none"]);
}

/** How long a shell may stand still after Tab, in milliseconds. */
const underCursorMs = 2000;

/** One page: nobody reads more under a cursor. */
const namesOf: Readonly<
  Record<"image" | "kernel" | "pull", (prefix: string, session: Session) => Promise<readonly string[]>>
> = {
  image: async (namePrefix, { rpc, signal }) => {
    const { images } = await rpc.unary(ImageService.method.listImages, { pageSize, namePrefix }, signal);
    return images.map(({ name }) => name);
  },
  kernel: async (_prefix, { rpc, signal }) => {
    const { kernels } = await rpc.unary(KernelService.method.listKernels, { pageSize }, signal);
    return kernels.map(({ name }) => name);
  },
  pull: async (_prefix, { rpc, signal }) => {
    const { pulls } = await rpc.unary(ImageService.method.listPulls, { pageSize }, signal);
    return pulls.map(({ id }) => id);
  },
};
