import type { Limits } from "../base/limits.ts";
import { injectGuest, type Injection } from "../guest/inject.ts";
import type { RootTree, ScannedBlob } from "../layers/root-tree.ts";
import type { PullEventBody } from "./events.ts";
import type { LayerIn } from "./layers-in.ts";
import type { PullPlan } from "./plan.ts";
import type { PullRequest } from "./request.ts";
import type { StageClock } from "./stage-clock.ts";

/** What is to be built: the image's own layers, or those and one more. */
export interface Injected extends AsyncDisposable {
  readonly tree: RootTree;
  readonly blobs: readonly ScannedBlob[];
  readonly injection: Injection | undefined;
  readonly durationMs: number;
}

/**
 * Stage 8, which comes before 6: the assets are one more layer, so that building, owning and verifying treat them as
 * any other content. The event waits until they are in the file system.
 */
export async function injectAgents(
  deps: { readonly tempDir: string; readonly limits: Limits },
  pull: { readonly request: PullRequest; readonly clock: StageClock; readonly signal: AbortSignal },
  plan: PullPlan,
  layers: readonly LayerIn[],
  tree: RootTree,
): Promise<Injected> {
  const blobs = layers.map(({ blob }) => blob);
  const { assets } = plan;
  if (assets === undefined) {
    return { tree, blobs, injection: undefined, durationMs: 0, [Symbol.asyncDispose]: async () => {} };
  }
  const { config } = plan.image;
  const { keepIdentity } = pull.request;
  const { tempDir, limits } = deps;
  const indexes = layers.map(({ index }) => index);
  const { value: injection, durationMs } = await pull.clock.time("inject", () =>
    injectGuest({ tree, indexes, assets, config, keepIdentity, tempDir, limits, signal: pull.signal }),
  );
  return {
    tree: injection.tree,
    blobs: [...blobs, injection.blob],
    injection,
    durationMs,
    [Symbol.asyncDispose]: () => injection[Symbol.asyncDispose](),
  };
}

export function injectedEvent({ injection, durationMs }: Injected): PullEventBody {
  const { files = [], scrubbedPaths = [] } = injection ?? {};
  const skipped = injection === undefined;
  const whySkipped = skipped ? "left out on request (no_agents)" : "";
  return { kind: "agentsInjected", skipped, whySkipped, files, scrubbedPaths, durationMs };
}
