import { once } from "node:events";
import type { WriteStream } from "node:tty";
import { BangerError, errnoOf, messageOf } from "../base/error.ts";
import { speaksUtf8 } from "../base/locale.ts";
import { asciiText } from "./render/ascii.ts";
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
  return { stdout: process.stdout, stderr: process.stderr, env: process.env, folder: currentFolder() };
}

/** Somebody may have removed it under the shell, which still has a name for it; most commands need none. */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    return process.env["PWD"] ?? "/";
  }
}

export function printLines(stream: NodeJS.WritableStream, lines: readonly string[]): void {
  if (lines.length > 0) stream.write(`${lines.join("\n")}\n`);
}

/** Text for people: on a terminal of another character set than UTF-8 in ASCII. */
export function showLines(terminal: Terminal, which: "stdout" | "stderr", lines: readonly string[]): void {
  const stream = terminal[which];
  const plain = stream.isTTY !== true || speaksUtf8(terminal.env);
  printLines(stream, plain ? lines : lines.map(asciiText));
}

/** What a command answers: JSON where that is asked for, as it is, else text for people. */
export function printAnswer(
  terminal: Terminal,
  { json }: { readonly json?: boolean | undefined },
  toJson: () => string,
  toLines: (columns: number | undefined) => readonly string[],
): void {
  if (json === true) printLines(terminal.stdout, [toJson()]);
  else showLines(terminal, "stdout", toLines(columnsOf(terminal)));
}

export function stderrColour({ stderr, env }: Terminal): boolean {
  return wantsColour(stderr.isTTY === true, env);
}

/** A terminal that tells no size gets what terminals have had since the VT100. */
export function sizeOf({ columns, rows }: { columns?: number; rows?: number }): {
  readonly columns: number;
  readonly rows: number;
} {
  return { columns: columns || 80, rows: rows || 24 };
}

/** Columns of a terminal; undefined for a file or a program, which have no edge. */
export function columnsOf(terminal: Terminal, which: "stdout" | "stderr" = "stdout"): number | undefined {
  const stream = terminal[which];
  return stream.isTTY === true ? sizeOf(stream).columns : undefined;
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

/** What became of the results on stdout. */
export interface OutputWatch {
  /** Rejects where they could not all be written, and a reader was there to miss them. */
  written(): Promise<void>;
  /** Undefined while all is well. After `banger … | head` it has no error: the reader had enough, and isn't told. */
  lost(): { readonly error: BangerError | undefined } | undefined;
}

/** Calls `stop` as soon as results can't be written. */
export function watchOutput({ stdout }: Terminal, stop: () => void): OutputWatch {
  let lost: { readonly error: BangerError | undefined } | undefined;
  stdout.on("error", (error: unknown) => {
    lost ??= { error: errnoOf(error) === "EPIPE" ? undefined : outputError(error) };
    stop();
  });
  return {
    lost: () => lost,
    written: () =>
      new Promise((resolve, reject) => {
        stdout.write("", (error) => {
          if (!(error instanceof Error) || errnoOf(error) === "EPIPE") resolve();
          else reject(error);
        });
      }),
  };
}

function outputError(cause: unknown): BangerError {
  return new BangerError("FILESYSTEM_ERROR", `standard output can't be written to (${messageOf(cause)})`, {
    op: "print",
    hint: "Check where it goes. What was asked for may have been done all the same.",
    cause,
  });
}
