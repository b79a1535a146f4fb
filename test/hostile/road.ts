import { asBangerError, BangerError } from "../../src/base/error.ts";
import type { Limits } from "../../src/base/limits.ts";
import { runInSlices } from "../../src/base/slices.ts";
import type { RootfsBuilder } from "../../src/ext4/builder.ts";
import { inspectImage } from "../../src/ext4/verify.ts";
import { flatten } from "../../src/layers/flatten.ts";
import type { LayerIndex } from "../../src/layers/layer-index.ts";
import type { ScannedBlob, RootTree } from "../../src/layers/root-tree.ts";
import type { LayerScanner } from "../../src/layers/scan.ts";
import type { StoredCase } from "./hostile-case.ts";

/** What a case has come to. */
export type Outcome =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly error: BangerError }
  /** Anything else that was thrown: a defect, whatever it says. */
  | { readonly kind: "thrown"; readonly error: unknown }
  | { readonly kind: "hung" };

export interface Travelled {
  readonly outcome: Outcome;
  readonly milliseconds: number;
  /** Of an accepted case. */
  readonly indexes: readonly LayerIndex[];
  readonly tree: RootTree | undefined;
}

export interface Road {
  readonly scanner: Pick<LayerScanner, "scan">;
  readonly limits: Limits;
  readonly timeoutMs: number;
}

/** Takes a case through scan and flatten, as a pull does, in the same order and under the same limits. */
export async function travel(road: Road, { layers }: StoredCase): Promise<Travelled> {
  const indexes: LayerIndex[] = [];
  const start = performance.now();
  const signal = AbortSignal.timeout(road.timeoutMs);
  let tree: RootTree | undefined;
  const outcome = await outcomeOf(signal, async () => {
    for (const blob of layers) {
      const mediaType = "application/vnd.oci.image.layer.v1.tar";
      indexes.push((await road.scanner.scan(blob, { mediaType, signal })).index);
    }
    tree = await runInSlices(flatten(indexes, { limits: road.limits }), signal);
  });
  return { outcome, milliseconds: performance.now() - start, indexes, tree };
}

async function outcomeOf(signal: AbortSignal, work: () => Promise<void>): Promise<Outcome> {
  try {
    await work();
    return { kind: "accepted" };
  } catch (error) {
    if (signal.aborted) return { kind: "hung" };
    return error instanceof BangerError ? { kind: "refused", error } : { kind: "thrown", error };
  }
}

export interface Construction {
  readonly builder: RootfsBuilder;
  readonly limits: Limits;
  readonly tempDir: string;
  /** The image; whoever calls removes it. */
  readonly target: string;
  readonly timeoutMs: number;
}

/** What building and reading back an accepted tree has come to; a verdict that is not clean counts as thrown. */
export async function construct(
  tree: RootTree,
  layers: readonly ScannedBlob[],
  how: Construction,
): Promise<Outcome> {
  const { target, tempDir, limits, builder } = how;
  const signal = AbortSignal.timeout(how.timeoutMs);
  return outcomeOf(signal, async () => {
    {
      await using build = await builder.build({
        tree,
        layers,
        target,
        tempDir,
        limits,
        signal,
        sizeBytes: undefined,
        uuid: "01234567-89ab-cdef-0123-456789abcdef",
        hashSeed: "fedcba98-7654-3210-fedc-ba9876543210",
        onProgress: () => {},
      });
      await build.applyOwnership();
    }
    const verdict = await inspectImage({ path: target, tree, limits, signal, depth: "full" });
    if (verdict.differences.length === 0 && verdict.fsck.clean) return;
    const what = JSON.stringify(verdict.differences.slice(0, 5));
    throw asBangerError(
      new Error(`${what}; e2fsck: ${verdict.fsck.problems.slice(0, 5).join("; ")}`),
      "verify",
    );
  });
}
