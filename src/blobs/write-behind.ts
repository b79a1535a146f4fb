import type { FileHandle } from "node:fs/promises";

/**
 * Brings the bytes of downloads to the disk while they go on, so that the sync at their end has little left to do. One
 * at a time: each holds one of the four threads that libuv has for all files.
 */
export class WriteBehind {
  #isBusy = false;

  /**
   * Undefined where another sync is under way. Whoever starts one has to await it: a failed write may be reported to
   * this sync, and to none after it.
   */
  start(file: FileHandle): Promise<void> | undefined {
    if (this.#isBusy) return undefined;
    this.#isBusy = true;
    return file.datasync().finally(() => {
      this.#isBusy = false;
    });
  }
}
