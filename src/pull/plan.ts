import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { BlobCache } from "../blobs/cache.ts";
import { loadGuestAssets, type GuestAssets, type GuestSources } from "../guest/assets.ts";
import { defaultImageName } from "../images/name.ts";
import type { KernelInputs } from "../kernel/resolve-inputs.ts";
import type { ImageSource, ResolvedImage, RetryNotice } from "../oci/image-source.ts";
import { checkSignature, type VerifiedSignature } from "../signature/check-signature.ts";
import type { SignaturePolicy } from "../signature/policy.ts";
import type { ImageRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { PullEventBody } from "./events.ts";
import { optionsKey, rootfsKey } from "./identity.ts";
import type { TurnQueue } from "./queue.ts";
import type { StageContext } from "./stage-context.ts";

/** What is known of a pull once its reference means something: its kernel may be still to come. */
export interface PlanStart {
  readonly image: ResolvedImage;
  /** Why a policy lets the image in; undefined where none asks. */
  readonly signature: VerifiedSignature | undefined;
  readonly name: string;
  /** What goes into the image besides its layers; undefined where nothing shall. */
  readonly assets: GuestAssets | undefined;
  readonly bytesToFetch: number;
}

/** A pull, known before anything of the image is written. */
export interface PullPlan extends PlanStart {
  /** What decides the root file system's bytes, and what decides the image. */
  readonly rootfsKey: string;
  readonly optionsKey: string;
  /** The image that answers this pull at once. */
  readonly existing: ImageRecord | undefined;
}

export interface PlanDeps {
  readonly store: Store;
  readonly blobs: BlobCache;
  readonly guest: GuestSources;
  readonly limits: Limits;
  /** How many ask what their image is at once. */
  readonly resolves: TurnQueue;
  /** Whose signatures are asked for, as the config says at this moment; nobody's where undefined. */
  readonly signaturePolicies?: () => readonly SignaturePolicy[];
}

/**
 * Stage 1: what the reference means, whether it may be pulled, and whether it is here already. Writes nothing. The
 * signature is asked for each time: that an image is here says nothing of what the policy is by now.
 *
 * @param kernelFor stage 2, which comes in the middle: only with its kernel is an image known to be the one asked for.
 *   Undefined where the request has none, or where that is still to be brought in and nothing is to be
 */
export async function planPull(
  deps: PlanDeps,
  pull: StageContext,
  source: ImageSource,
  kernelFor: (start: PlanStart) => Promise<KernelChoice | undefined>,
): Promise<PullPlan> {
  const { request, signal, emit, clock } = pull;
  const onRetry = (notice: RetryNotice): void => emit("resolve", { kind: "retrying", ...notice });
  const { limits, signaturePolicies } = deps;
  // Of the questions alone: a kernel that takes its time must not hold up those who ask.
  const asking = await deps.resolves.enter(signal);
  const resolving = clock.time("resolve", async () => {
    const image = await source.resolve(request.platform, { signal, onRetry });
    const policies = signaturePolicies?.() ?? [];
    const { documents } = source;
    return {
      image,
      signature: await checkSignature({ image, policies, documents, limits, signal, onRetry }),
    };
  });
  const { image, signature } = (await resolving.finally(() => asking[Symbol.dispose]())).value;
  const name = request.name ?? defaultImageName(image);
  const assets = request.noAgents ? undefined : await loadGuestAssets(deps.guest, limits);
  const holder = await deps.store.findByName(name);
  if (holder !== undefined && holder.repository !== image.repository) {
    throw new BangerError("NAME_TAKEN", `the name ${name} belongs to an image of ${holder.repository}`, {
      op: "name image",
      hint: "Choose another name with --name, or rename or delete that image.",
      facts: { name, image: holder.id },
    });
  }
  const missing = image.manifest.layers.filter(
    (layer, at, all) =>
      all.findIndex(({ digest }) => digest === layer.digest) === at && !deps.blobs.has(layer),
  );
  const bytesToFetch = missing.reduce((sum, { size }) => sum + size, 0);
  const start = { image, signature, name, assets, bytesToFetch };
  const kernel = await kernelFor(start);
  const modules = request.kernel?.modulesIntoRootfs === true ? kernel?.facts.contentDigest : undefined;
  const rootfs = rootfsKey(request, assets?.digest, modules);
  const keys = { rootfsKey: rootfs, optionsKey: optionsKey(rootfs, kernel) };
  const isForeseen = request.kernel === undefined || kernel !== undefined;
  const existing = isForeseen ? await findExisting(deps.store, start, keys.optionsKey, holder) : undefined;
  return { ...start, ...keys, bytesToFetch: existing === undefined ? bytesToFetch : 0, existing };
}

/** As much of a kernel as decides which image it makes. */
export type KernelChoice = Pick<KernelInputs, "name" | "facts">;

async function findExisting(
  store: Store,
  { image }: PlanStart,
  key: string,
  holder: ImageRecord | undefined,
): Promise<ImageRecord | undefined> {
  const { repository, manifestDigest } = image;
  const same = holder?.manifestDigest === manifestDigest && holder.optionsKey === key;
  return same ? holder : store.findNameless(repository, manifestDigest, key);
}

/** What a plan looks like to those who watch. */
export function resolvedEvent(plan: PlanStart): PullEventBody {
  const { image, name, bytesToFetch, signature } = plan;
  const { reference, manifestDigest, indexDigest, platform } = image;
  const layers = image.manifest.layers.map(({ digest, mediaType, size }, at) => {
    return { digest, diffId: image.config.diffIds[at] ?? digest, mediaType, sizeBytes: size };
  });
  const what = { reference, manifestDigest, indexDigest, platform, name, layers, bytesToFetch, signature };
  return { kind: "resolved", ...what };
}
