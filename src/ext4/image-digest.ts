import { stat } from "node:fs/promises";
import type { Digest } from "../base/digest.ts";
import { asBangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { WorkerPool, workerFile } from "../base/workers.ts";
import type { DigestJob } from "./digest-worker.ts";

const op = "hash image";

/**
 * The sha256 of a whole file, holes read as zeros: what `sha256sum` says of it. On a thread of its own, as it takes
 * half a second for each GB, and holes take as long as data: sha256 can't skip a zero.
 *
 * @returns undefined where the file is larger than `digestBytes`.
 * @throws BangerError CANCELLED, or that of a file that can't be read.
 */
export async function digestOfImage(
  path: string,
  limits: Pick<Limits, "digestBytes">,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  try {
    if ((await stat(path)).size > limits.digestBytes) return undefined;
    await using pool = new WorkerPool<DigestJob, Digest>(workerFile(import.meta.dirname, "digest-worker"), 1);
    return await pool.run(path, { signal });
  } catch (error) {
    throw asBangerError(error, op);
  }
}
