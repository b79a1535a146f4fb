import { resolve } from "node:path";
import { Option, type Command } from "commander";
import {
  ExportFormat,
  ImageService,
  type ExportImageResponse,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { BangerError } from "../../base/error.ts";
import { formatBytes } from "../render/units.ts";
import type { RunSession, Session } from "../session.ts";
import { writeSparseFile, type FilePiece } from "../sparse-file.ts";
import { printLines, writeAll } from "../terminal.ts";

interface ExportFlags {
  readonly output: string;
  readonly format: "raw" | "zstd";
}

const formats = { raw: ExportFormat.RAW, zstd: ExportFormat.ZSTD } as const;

/** Zeros for standard output, which has no holes. */
const zeros = Buffer.alloc(256 * 1024);

/** Copying an image out. */
export function addImageExport(image: Command, run: RunSession, folder: string): void {
  image
    .command("export")
    .argument("<image>", "name, id, or a unique beginning of an id")
    .description("copy an image's file system to a file, with holes where it has none of its own")
    .requiredOption(
      "-o, --output <file>",
      "where to, in place of what is there; - is standard output; it must be given",
    )
    .addOption(new Option("--format <format>", "raw, or compressed").choices(["raw", "zstd"]).default("raw"))
    .action((name: string, flags: ExportFlags) =>
      run((session) => exportImage(name, flags, folder, session)),
    );
}

async function exportImage(
  name: string,
  { output, format }: ExportFlags,
  folder: string,
  { rpc, signal, terminal }: Session,
): Promise<undefined> {
  const toStdout = output === "-";
  if (toStdout && terminal.stdout.isTTY === true) {
    throw new BangerError("OPTION_INVALID", "a file system is nothing for a terminal", {
      op: "export image",
      hint: "Name a file with -o FILE, or send standard output to a file or a program.",
    });
  }
  const request = { image: name, format: formats[format] };
  const answers = rpc.stream(ImageService.method.exportImage, request, signal)[Symbol.asyncIterator]();
  try {
    const first = await answers.next();
    const sizeBytes = first.done === true ? 0 : Number(first.value.totalSizeBytes);
    const fileBytes = format === "raw" ? sizeBytes : undefined;
    const pieces = piecesOf({ [Symbol.asyncIterator]: () => answers }, fileBytes);
    if (toStdout) {
      await writeStream(terminal.stdout, fileBytes, pieces, signal);
      return undefined;
    }
    const path = resolve(folder, output);
    const written = await writeSparseFile(path, fileBytes, pieces);
    printLines(terminal.stderr, [`${path}: ${formatBytes(sizeBytes)}, ${formatBytes(written)} written`]);
    return undefined;
  } finally {
    await answers.return?.();
  }
}

/** What is out of order or out of the file would make a wrong copy. */
async function* piecesOf(
  answers: AsyncIterable<ExportImageResponse>,
  sizeBytes = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<FilePiece, void, undefined> {
  let reached = 0;
  for await (const { offset: at, chunk: bytes } of answers) {
    const offset = Number(at);
    if (offset < reached || offset + bytes.length > sizeBytes) {
      throw new BangerError(
        "INTERNAL",
        `the daemon sent bytes for ${offset}, after ${reached} of ${sizeBytes}`,
        {
          op: "export image",
        },
      );
    }
    reached = offset + bytes.length;
    yield { offset, bytes };
  }
}

async function writeStream(
  stream: NodeJS.WritableStream,
  sizeBytes: number | undefined,
  pieces: AsyncIterable<FilePiece>,
  signal: AbortSignal,
): Promise<void> {
  let at = 0;
  const skipTo = async (offset: number): Promise<void> => {
    for (; at < offset; at += Math.min(zeros.length, offset - at)) {
      await writeAll(stream, zeros.subarray(0, Math.min(zeros.length, offset - at)), signal);
    }
  };
  for await (const { offset, bytes } of pieces) {
    await skipTo(offset);
    // Received bytes are views; the stream may keep them until they are written.
    await writeAll(stream, Buffer.from(bytes), signal);
    at = offset + bytes.length;
  }
  if (sizeBytes !== undefined) await skipTo(sizeBytes);
}
