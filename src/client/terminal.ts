import { once } from "node:events";
import type { WriteStream } from "node:tty";
import { BangerError, errnoOf } from "../base/error.ts";
import { wantsColour } from "./render/paint.ts";

/** Where a command's words go: results to stdout, all else to stderr. */
export interface Terminal {
  readonly stdout: NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;
  readonly stderr: NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What relative paths are relative to. */
  readonly folder: string;
}

export function processTerminal(): Terminal {
  return { stdout: process.stdout, stderr: process.stderr, env: process.env, folder: process.cwd() };
}

export function printLines(stream: NodeJS.WritableStream, lines: readonly string[]): void {
  if (lines.length > 0) stream.write(`${lines.join("\n")}\n`);
}

export function stderrColour({ stderr, env }: Terminal): boolean {
  return wantsColour(stderr.isTTY === true, env);
}

/** Writes, and waits where the reader is slower. Rejects when the reader is gone or the signal aborts. */
export async function writeAll(
  stream: NodeJS.WritableStream,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (stream.write(bytes)) return;
  await once(stream, "drain", { signal });
}

/** `banger … | head`: the reader had enough, and there is nobody left to tell. */
export function onReaderGone(terminal: Terminal, act: () => void): void {
  terminal.stdout.on("error", (error: unknown) => {
    if (errnoOf(error) === "EPIPE") return act();
    throw new BangerError("FILESYSTEM_ERROR", "standard output can't be written to", {
      op: "print",
      cause: error,
    });
  });
}
