import { resolve } from "node:path";
import type { Command } from "commander";
import {
  CatalogEntrySchema,
  KernelSchema,
  KernelService,
  type Kernel,
} from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { absoluteKernelRef } from "../../kernel/kernel-ref.ts";
import { openKernelProgress } from "../kernel-progress.ts";
import { allPages, pageSize } from "../pages.ts";
import { messageJson, pretty } from "../render/json.ts";
import { catalogTable, kernelTable } from "../render/kernel-text.ts";
import { formatBytes } from "../render/units.ts";
import { hanging, safeText } from "../render/text.ts";
import type { RunSession, Session } from "../session.ts";
import { columnsOf, printAnswer, printLines, showLines } from "../terminal.ts";
import { jsonOption } from "./options.ts";

interface JsonFlag {
  readonly json?: boolean;
}

interface PullFlags extends JsonFlag {
  readonly name?: string;
}

export function addKernelCommands(program: Command, run: RunSession, folder: string): void {
  const kernel = program.command("kernel").description("look after kernels");
  kernel
    .command("ls")
    .description("list the kernels that are here")
    .addOption(jsonOption())
    .action((flags: JsonFlag) => run((session) => listKernels(flags, session)));
  kernel
    .command("catalog")
    .description("list what the catalogs offer")
    .addOption(jsonOption())
    .action((flags: JsonFlag) => run((session) => listCatalog(flags, session)));
  kernel
    .command("pull")
    .argument(
      "<kernel>",
      "a catalog's entry, deb:FILE, deb:URL@sha256:HEX, URL@sha256:HEX, artifact:REFERENCE",
    )
    .addOption(jsonOption())
    .option(
      "--name <name>",
      "what a source is called here; the default is its package's, file's or tag's name",
    )
    .description("fetch a kernel, for `image pull --kernel-ref` to put beside an image")
    .action((name: string, flags: PullFlags) =>
      run((session) => pullKernel(absoluteKernelRef(name, folder), flags, session)),
    );
  kernel
    .command("import")
    .argument("<name>", "what it is called here")
    .requiredOption("--kernel <file>", "the kernel; it must be given")
    .option("--initrd <file>", "its initial RAM disk")
    .option("--modules <folder>", "its modules")
    .description("take a kernel of this machine into the store")
    .action((name: string, flags: { kernel: string; initrd?: string; modules?: string }) =>
      run(async ({ rpc, signal, terminal }) => {
        const absolute = (path: string | undefined): string =>
          path === undefined ? "" : resolve(folder, path);
        const answer = await rpc.unary(
          KernelService.method.importKernel,
          {
            name,
            kernelPath: absolute(flags.kernel),
            initrdPath: absolute(flags.initrd),
            modulesPath: absolute(flags.modules),
          },
          signal,
        );
        printKernel(answer.kernel, terminal);
        return undefined;
      }),
    );
  kernel
    .command("rm")
    .argument("<kernel>", "as `banger kernel ls` shows it")
    .option("--force", "even while images use it: they keep their own files")
    .description("delete a kernel")
    .action((name: string, flags: { force?: boolean }) =>
      run(async ({ rpc, signal, terminal }) => {
        const request = { name, force: flags.force ?? false };
        const { freedBytes } = await rpc.unary(KernelService.method.deleteKernel, request, signal);
        printLines(terminal.stderr, [`${safeText(name)} is deleted: ${formatBytes(freedBytes)} freed`]);
        return undefined;
      }),
    );
}

async function listKernels(flags: JsonFlag, { rpc, signal, terminal }: Session): Promise<undefined> {
  const pages = await allPages((pageToken) =>
    rpc.unary(KernelService.method.listKernels, { pageSize, pageToken }, signal),
  );
  const kernels = pages.flatMap((page) => page.kernels);
  const json = (): string => pretty({ kernels: kernels.map((one) => messageJson(KernelSchema, one)) });
  printAnswer(terminal, flags, json, (columns) => kernelTable(kernels, columns));
  if (kernels.length === 0 && flags.json !== true) {
    const none = "There are no kernels here yet: `banger kernel pull --help` tells where to get one.";
    showLines(terminal, "stderr", hanging(none, columnsOf(terminal, "stderr")));
  }
  return undefined;
}

async function listCatalog(flags: JsonFlag, { rpc, signal, terminal }: Session): Promise<undefined> {
  const pages = await allPages((pageToken) =>
    rpc.unary(KernelService.method.listCatalog, { pageSize, pageToken }, signal),
  );
  const entries = pages.flatMap((page) => page.entries);
  const warnings = [...new Set(pages.flatMap((page) => page.warnings))];
  const json = (): string =>
    pretty({ entries: entries.map((entry) => messageJson(CatalogEntrySchema, entry)), warnings });
  printAnswer(terminal, flags, json, (columns) => catalogTable(entries, columns));
  const none =
    entries.length === 0 && warnings.length === 0
      ? [
          "No catalog offers any: [[kernels.catalogs]] in the config names one. `kernel pull --help` has other sources.",
        ]
      : [];
  const said = [...warnings.map((warning) => `! ${warning}`), ...none];
  showLines(
    terminal,
    "stderr",
    said.flatMap((line) => hanging(line, columnsOf(terminal, "stderr"))),
  );
  return undefined;
}

async function pullKernel(
  name: string,
  flags: PullFlags,
  { rpc, signal, terminal }: Session,
): Promise<undefined> {
  const request = { name, localName: flags.name ?? "" };
  using progress = openKernelProgress(terminal);
  for await (const { event } of rpc.stream(KernelService.method.pullKernel, request, signal)) {
    if (event.case === "progress") progress.show(event.value);
    if (event.case !== "kernel") continue;
    progress.end();
    if (flags.json === true) printLines(terminal.stdout, [pretty(messageJson(KernelSchema, event.value))]);
    else printKernel(event.value, terminal);
  }
  return undefined;
}

function printKernel(kernel: Kernel | undefined, terminal: Session["terminal"]): void {
  if (kernel === undefined) return;
  printLines(terminal.stdout, [safeText(kernel.name)]);
  showLines(
    terminal,
    "stderr",
    kernel.warnings.map((warning) => `! ${safeText(warning)}`),
  );
}
