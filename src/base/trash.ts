import { rename } from "node:fs/promises";
import { errnoOf } from "./error.ts";
import { removeTree } from "./files.ts";

/**
 * Removes large folders behind the caller's back: one of 100,000 files takes seconds, and whoever cancels waits for
 * none of them. What is discarded is out of its place at once. Disposing waits for what is under way; what a kill
 * leaves has a name that the next start knows to be trash.
 */
export class Trash implements AsyncDisposable {
  readonly #pending = new Set<Promise<void>>();
  readonly #onError: (path: string, error: unknown) => void;

  /** @param onError told of what could not be removed; the next start tries again. */
  constructor(onError: (path: string, error: unknown) => void) {
    this.#onError = onError;
  }

  /** Returns once nothing is at `path` any more. `trashPath` is on the same disk. Idempotent. */
  async discard(
    path: string,
    trashPath: string,
    remove: (path: string) => Promise<void> = removeTree,
  ): Promise<void> {
    try {
      await rename(path, trashPath);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    const removal = remove(trashPath)
      .catch((error: unknown) => this.#onError(trashPath, error))
      .finally(() => this.#pending.delete(removal));
    this.#pending.add(removal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pending);
  }
}
