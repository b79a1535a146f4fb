import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { ArrivingFile } from "../base/arrival.ts";
import { makeDir } from "../base/files.ts";
import type { Limits } from "../base/limits.ts";
import type { LayerName } from "./root-tree.ts";
import type { ScanPool } from "./scan-job.ts";

export interface EarlyScanInput {
  readonly pool: ScanPool;
  readonly layer: LayerName;
  readonly file: ArrivingFile;
  readonly limits: Limits;
  readonly temporaryPath: string;
  readonly signal: AbortSignal;
}

/**
 * A scan of a blob that is still on its way, which reads behind the download. Nobody sees what it finds unless the
 * blob turns out to be the right one, and it never says what is wrong with a layer: where it fails, for whatever
 * reason, it counts for nothing, and the scan of the verified blob finds out again.
 */
export class EarlyScan implements AsyncDisposable {
  readonly #input: EarlyScanInput;
  readonly #stop = new AbortController();
  readonly #succeeded: Promise<boolean>;

  constructor(input: EarlyScanInput) {
    this.#input = input;
    this.#succeeded = this.#run().catch(() => false);
  }

  async #run(): Promise<boolean> {
    const { pool, layer, file, limits, temporaryPath } = this.#input;
    await makeDir(dirname(temporaryPath));
    // Opened here, as the name may be gone by the time that the thread is ready.
    await using handle = await open(file.path, "r");
    const blob = { fd: handle.fd, bytes: file.bytes, arrival: file.arrival };
    const signal = AbortSignal.any([this.#input.signal, file.signal, this.#stop.signal]);
    return (await pool.tryRun({ layer, blob, limits, temporaryPath }, { signal })) !== undefined;
  }

  /**
   * Waits for the scan's end, and puts its index at `path`. Only for a blob that was verified since.
   *
   * @returns false where there is none.
   */
  async keep(path: string): Promise<boolean> {
    if (!(await this.#succeeded)) return false;
    await rename(this.#input.temporaryPath, path);
    return true;
  }

  /** Stops it, and removes what is not kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#succeeded;
    await rm(this.#input.temporaryPath, { force: true });
  }
}
