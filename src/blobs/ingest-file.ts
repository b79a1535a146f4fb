import { constants } from "node:fs";
import { open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Digest } from "../base/digest.ts";
import { errnoOf } from "../base/error.ts";
import { syncDir } from "../base/files.ts";
import { ingestName } from "./layout.ts";
import { isGone, processOwner } from "./owner.ts";

let claims = 0;

/**
 * The file that a blob is downloaded into, owned by one download at a time, also among processes that share the
 * cache: claiming is a rename to a name of one's own, which only one can win. One that is not published or
 * discarded goes back to its common name, from where the next download resumes it; one whose process died is taken
 * over.
 */
export class IngestFile implements AsyncDisposable {
  readonly handle: FileHandle;
  /** Where it is until it is published, discarded or given back. */
  readonly path: string;
  readonly #commonPath: string;
  #settled = false;

  private constructor(handle: FileHandle, path: string, commonPath: string) {
    this.handle = handle;
    this.path = path;
    this.#commonPath = commonPath;
  }

  static async claim(folder: string, digest: Digest): Promise<IngestFile> {
    const commonPath = join(folder, ingestName(digest));
    const path = `${commonPath}.${processOwner()}-${++claims}`;
    for (const leftover of [commonPath, ...(await abandoned(folder, ingestName(digest)))]) {
      if (await renamed(leftover, path)) break;
    }
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    return new IngestFile(handle, path, commonPath);
  }

  /** Makes it the blob at `target`: durable, whole and read-only before it is seen there. */
  async publish(target: string): Promise<void> {
    await this.handle.chmod(0o444);
    await this.handle.sync();
    await rename(this.path, target);
    this.#settled = true;
    await syncDir(dirname(target));
  }

  async discard(): Promise<void> {
    this.#settled = true;
    await rm(this.path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
    if (!this.#settled) await renamed(this.path, this.#commonPath);
  }
}

/** Downloads of that name whose process is no more. */
async function abandoned(folder: string, name: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`${name}.`)) continue;
    const path = join(folder, entry);
    const idleMs = Date.now() - (await modifiedAt(path));
    if (isGone(entry.slice(name.length + 1), idleMs)) paths.push(path);
  }
  return paths;
}

async function modifiedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Date.now();
    throw error;
  }
}

/** False where it was not there: somebody else was quicker, or there never was one. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
