import type { ArrivingFile } from "../base/arrival.ts";
import type { EarlyScan } from "../layers/early-scan.ts";
import type { LayerName } from "../layers/root-tree.ts";
import type { LayerScanner, ScannedLayer } from "../layers/scan.ts";
import type { StageClock, StagePart } from "./stage-clock.ts";

export interface LayerScanInput extends LayerName {
  readonly scanner: LayerScanner;
  readonly clock: StageClock;
  readonly mediaType: string;
  readonly signal: AbortSignal;
  readonly onProgress: (compressedBytes: number) => void;
}

/** The scan of one layer, which begins while the layer is still on its way where it can, and ends when it is verified. */
export class LayerScan implements AsyncDisposable {
  readonly #input: LayerScanInput;
  #begun: { readonly early: EarlyScan; readonly part: StagePart } | undefined;

  constructor(input: LayerScanInput) {
    this.#input = input;
  }

  /** The layer's file has its first bytes. */
  begin(file: ArrivingFile): void {
    const { scanner, clock, digest, diffId, signal } = this.#input;
    const early = scanner.scanArriving({ digest, diffId }, file, signal);
    if (early !== undefined) this.#begun = { early, part: clock.begin("scan") };
  }

  /** The layer is verified, and at `path`. Its time counts from the beginning of what its index comes from. */
  async finish(path: string): Promise<ScannedLayer & { readonly durationMs: number }> {
    const { scanner, clock, digest, diffId, mediaType, signal, onProgress } = this.#input;
    const whole = clock.begin("scan");
    let part = whole;
    try {
      const options = { mediaType, signal, onProgress, early: this.#begun?.early };
      const scanned = await scanner.scan({ digest, diffId, path }, options);
      if (scanned.isEarly) part = this.#begun?.part ?? whole;
      return { ...scanned, durationMs: part.end() };
    } finally {
      part.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#begun?.early[Symbol.asyncDispose]();
  }
}
