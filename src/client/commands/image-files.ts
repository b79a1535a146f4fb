import type { Command } from "commander";
import { ImageService } from "../../../gen/banger/image/v1/image_service_pb.ts";
import { allPages, pageSize } from "../pages.ts";
import { fileJson, fileTable } from "../render/file-text.ts";
import { pretty } from "../render/json.ts";
import { safeLines } from "../render/text.ts";
import type { RunSession } from "../session.ts";
import { printAnswer, writeAll } from "../terminal.ts";
import { jsonOption } from "./options.ts";

/** Reading inside of an image, with no mount. */
export function addImageFiles(image: Command, run: RunSession): void {
  image
    .command("files")
    .argument("<image>", "name, id, or a unique beginning of an id")
    .argument("[path]", "a folder inside the image", "/")
    .description("list a folder of an image")
    .addOption(jsonOption())
    .action((name: string, path: string, flags: { json?: boolean }) =>
      run(async ({ rpc, signal, terminal }) => {
        const pages = await allPages((pageToken) =>
          rpc.unary(ImageService.method.listFiles, { image: name, path, pageSize, pageToken }, signal),
        );
        const files = pages.flatMap((page) => page.files);
        const json = (): string => pretty({ files: files.map(fileJson) });
        printAnswer(terminal, flags, json, (columns) => fileTable(files, columns));
        return undefined;
      }),
    );
  image
    .command("cat")
    .argument("<image>", "name, id, or a unique beginning of an id")
    .argument("<path>", "a file inside the image")
    .description("print a file of an image; what would steer a terminal is shown there as an escape")
    .action((name: string, path: string) =>
      run(async ({ rpc, signal, terminal }) => {
        const chunks = rpc.stream(ImageService.method.readFile, { image: name, path }, signal);
        const text =
          terminal.stdout.isTTY === true ? new TextDecoder("utf-8", { ignoreBOM: true }) : undefined;
        for await (const { chunk } of chunks) {
          const shown = text === undefined ? chunk : terminalBytes(text.decode(chunk, { stream: true }));
          await writeAll(terminal.stdout, shown, signal);
        }
        if (text !== undefined) await writeAll(terminal.stdout, terminalBytes(text.decode()), signal);
        return undefined;
      }),
    );
}

/** An image is somebody else's: what it holds must not move the cursor or answer for whoever sits there. */
function terminalBytes(text: string): Uint8Array {
  return Buffer.from(safeLines(text));
}
