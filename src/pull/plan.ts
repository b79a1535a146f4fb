import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { BlobCache } from "../blobs/cache.ts";
import { loadGuestAssets, type GuestAssets, type GuestSources } from "../guest/assets.ts";
import { defaultImageName } from "../images/name.ts";
import type { ImageSource, ResolvedImage, RetryNotice } from "../oci/image-source.ts";
import { checkSignature, type VerifiedSignature } from "../signature/check-signature.ts";
import type { SignaturePolicy } from "../signature/policy.ts";
import type { ImageRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { PullEventBody, Stage } from "./events.ts";
import { optionsKey } from "./identity.ts";
import type { PullRequest } from "./request.ts";
import type { StageClock } from "./stage-clock.ts";

/** A pull, known before anything is written. */
export interface PullPlan {
  readonly image: ResolvedImage;
  /** Why a policy lets the image in; undefined where none asks. */
  readonly signature: VerifiedSignature | undefined;
  readonly name: string;
  readonly optionsKey: string;
  /** What goes into the image besides its layers; undefined where nothing shall. */
  readonly assets: GuestAssets | undefined;
  readonly bytesToFetch: number;
  /** The image that answers this pull at once. */
  readonly existing: ImageRecord | undefined;
}

export interface PlanDeps {
  readonly store: Store;
  readonly blobs: BlobCache;
  readonly guest: GuestSources;
  readonly limits: Limits;
  /** Whose signatures are asked for, as the config says at this moment; nobody's where undefined. */
  readonly signaturePolicies?: () => readonly SignaturePolicy[];
}

export interface PlanContext {
  readonly request: PullRequest;
  readonly clock: StageClock;
  readonly signal: AbortSignal;
  readonly emit: (stage: Stage, body: PullEventBody) => void;
}

/**
 * Stage 1: what the reference means, whether it may be pulled, and whether it is here already. Writes nothing. The
 * signature is asked for each time: that an image is here says nothing of what the policy is by now.
 */
export async function planPull(deps: PlanDeps, pull: PlanContext, source: ImageSource): Promise<PullPlan> {
  const { request, signal, emit, clock } = pull;
  const onRetry = (notice: RetryNotice): void => emit("resolve", { kind: "retrying", ...notice });
  const { limits, signaturePolicies } = deps;
  const { value } = await clock.time("resolve", async () => {
    const image = await source.resolve(request.platform, { signal, onRetry });
    const policies = signaturePolicies?.() ?? [];
    const { documents } = source;
    return {
      image,
      signature: await checkSignature({ image, policies, documents, limits, signal, onRetry }),
    };
  });
  const { image, signature } = value;
  const name = request.name ?? defaultImageName(image);
  const assets = request.noAgents ? undefined : await loadGuestAssets(deps.guest, limits);
  const key = optionsKey(request, assets?.digest);
  const holder = await deps.store.findByName(name);
  if (holder !== undefined && holder.repository !== image.repository) {
    throw new BangerError("NAME_TAKEN", `the name ${name} belongs to an image of ${holder.repository}`, {
      op: "name image",
      hint: "Choose another name with --name, or rename or remove that image.",
      facts: { name, image: holder.id },
    });
  }
  const same = holder?.manifestDigest === image.manifestDigest && holder.optionsKey === key;
  const existing = same ? holder : await deps.store.findNameless(image.repository, image.manifestDigest, key);
  const missing = image.manifest.layers.filter(
    (layer, at, all) =>
      all.findIndex(({ digest }) => digest === layer.digest) === at && !deps.blobs.has(layer),
  );
  const bytesToFetch = missing.reduce((sum, { size }) => sum + size, 0);
  const needed = existing === undefined ? bytesToFetch : 0;
  return { image, signature, name, optionsKey: key, assets, bytesToFetch: needed, existing };
}

/** What a plan looks like to those who watch. */
export function resolvedEvent(plan: PullPlan): PullEventBody {
  const { image, name, bytesToFetch, signature } = plan;
  const { reference, manifestDigest, indexDigest, platform } = image;
  const layers = image.manifest.layers.map(({ digest, mediaType, size }, at) => {
    return { digest, diffId: image.config.diffIds[at] ?? digest, mediaType, sizeBytes: size };
  });
  const what = { reference, manifestDigest, indexDigest, platform, name, layers, bytesToFetch, signature };
  return { kind: "resolved", ...what };
}
