import { run } from "../../base/exec.ts";
import { errnoOf } from "../../base/error.ts";
import { safeText } from "../render/text.ts";

const toolMs = 60_000;
const toolOutputBytes = 1024 * 1024;

/** A command line of a program of e2fsprogs that had no part in making the image, and what it says. */
export async function outsideView(
  program: "e2fsck" | "debugfs",
  args: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const shown = args.map((word) => (word.includes(" ") ? `'${word}'` : word)).join(" ");
  return ["", `$ ${program} ${shown}`, ...(await output(program, args, signal))];
}

async function output(program: string, args: readonly string[], signal: AbortSignal): Promise<string[]> {
  try {
    const { stdout } = await run(program, args, {
      op: `run ${program}`,
      signal,
      timeoutMs: toolMs,
      maxOutputBytes: toolOutputBytes,
    });
    const lines = stdout.toString("utf8").split("\n").map(safeText);
    return lines.filter((line) => line.trim() !== "");
  } catch (error) {
    if (error instanceof Error && errnoOf(error.cause) === "ENOENT") {
      return [`${program} is not here; \`apt-get install e2fsprogs\` brings it.`];
    }
    throw error;
  }
}
