import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../base/exec.ts";
import { errnoOf } from "../../base/error.ts";
import { safeText } from "../render/text.ts";

const fsckMs = 60_000;
const fsckOutputBytes = 1024 * 1024;

/** What `e2fsck -fn` says of the images in a folder, or that it is not here. Changes nothing. */
export async function checkFilesystem(imagesDir: string, signal: AbortSignal): Promise<string[]> {
  const lines: string[] = [];
  for (const id of await readdir(imagesDir)) {
    const path = join(imagesDir, id, "rootfs.ext4");
    const said = await fsck(path, signal);
    lines.push("", `$ e2fsck -fn ${path}`, ...said);
  }
  return lines;
}

async function fsck(path: string, signal: AbortSignal): Promise<string[]> {
  try {
    const result = await run("e2fsck", ["-fn", path], {
      op: "check file system",
      signal,
      timeoutMs: fsckMs,
      maxOutputBytes: fsckOutputBytes,
    });
    const lines = result.stdout.toString("utf8").trimEnd().split("\n").map(safeText);
    return [...lines, result.exitCode === 0 ? "(clean)" : `(exit code ${result.exitCode})`];
  } catch (error) {
    if (error instanceof Error && errnoOf(error.cause) === "ENOENT") {
      return ["e2fsck is not here; `apt-get install e2fsprogs` brings it."];
    }
    throw error;
  }
}
