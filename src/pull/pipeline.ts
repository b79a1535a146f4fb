import { stat } from "node:fs/promises";
import type { Digest } from "../base/digest.ts";
import type { DiskLedger } from "../base/disk-ledger.ts";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { runInSlices } from "../base/slices.ts";
import type { Trash } from "../base/trash.ts";
import type { BlobCache } from "../blobs/cache.ts";
import type { BuilderName, BuiltFacts, RootfsBuilder } from "../ext4/builder.ts";
import { proveImage } from "../ext4/verify.ts";
import { bootReadiness, type BootReadiness } from "../guest/boot-readiness.ts";
import type { GuestSources } from "../guest/assets.ts";
import { newImageId } from "../images/layout.ts";
import { allocatedBytes, createStaging, type Staging } from "../images/publish.ts";
import { writeStoredTree } from "../images/stored-tree.ts";
import { flatten } from "../layers/flatten.ts";
import type { RootTree } from "../layers/root-tree.ts";
import type { LayerScanner } from "../layers/scan.ts";
import type { ImageRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { CacheUpkeep } from "./cache-upkeep.ts";
import { blameDecay } from "./decayed-blobs.ts";
import type { Stage } from "./events.ts";
import { injectAgents, injectedEvent, type Injected } from "./injected.ts";
import { defaultBuilder, derivedUuid, filesystemUuid } from "./identity.ts";
import { imageDocument, imageRecord } from "./image-record.ts";
import { bringLayersIn, type LayerIn } from "./layers-in.ts";
import { PullKernel, type KernelDeps } from "./kernel-stages.ts";
import { planPull, resolvedEvent, type PlanDeps, type PlanStart, type PullPlan } from "./plan.ts";
import { PullSpace, type FetchNeed } from "./pull-space.ts";
import type { TurnQueue } from "./queue.ts";
import type { PullRequest } from "./request.ts";
import { openPullSource, type SourceDeps } from "./source.ts";
import type { StageContext } from "./stage-context.ts";

/** What every pull of a daemon shares. */
export interface PipelineDeps extends SourceDeps, PlanDeps, KernelDeps {
  readonly store: Store;
  readonly blobs: BlobCache;
  /** Told when a pull is over. */
  readonly upkeep: Pick<CacheUpkeep, "tidy">;
  readonly trash: Trash;
  readonly scanner: LayerScanner;
  readonly builders: Readonly<Record<BuilderName, RootfsBuilder>>;
  readonly queue: TurnQueue;
  /** Of those that are in, how many build at once. */
  readonly builds: TurnQueue;
  readonly ledger: DiskLedger;
  readonly stateDir: string;
  /** The group that may open what is published; undefined for nobody. */
  readonly readerGid: number | undefined;
  readonly cacheDir: string;
  /** The daemon's own, swept when it starts. */
  readonly tempDir: string;
  readonly limits: Limits;
  readonly guest: GuestSources;
}

/** What one pull is. */
export interface PullContext extends StageContext {
  /** Told once the image is known; answers false where another pull is at it already, which ends this one. */
  readonly claim: (plan: PullPlan) => boolean;
}

/**
 * The road of one image; the only place that knows its order. Ends with a published image and its row, or with
 * neither: what was being built is removed, verified blobs and resumable downloads stay in the cache.
 *
 * @returns undefined where `claim` found another pull doing the same.
 */
export async function runPull(deps: PipelineDeps, pull: PullContext): Promise<ImageRecord | undefined> {
  await using source = openPullSource(deps, pull.request);
  await using kernel = new PullKernel(deps, pull);
  const announce = once((start: PlanStart) => pull.emit("resolve", resolvedEvent(start)));
  const plan = await planPull(deps, pull, source, (start) =>
    // A kernel may take minutes to come: what is known by then is said before.
    kernel.resolve(start.image.platform, () => announce(start)),
  );
  if (!pull.claim(plan)) return undefined;
  announce(plan);
  if (plan.existing !== undefined) return reuse(deps, pull, plan, plan.existing);

  using _tidied = { [Symbol.dispose]: () => deps.upkeep.tidy() };
  // Before anything is looked for in the cache, and until nothing reads from it any more.
  using _pins = deps.blobs.pins.pin(plan.image.manifest.layers.map(({ digest }) => digest));
  using _turn = await deps.queue.enter(pull.signal, (position) =>
    pull.emit("resolve", { kind: "waiting", position, why: "other images are being built" }),
  );
  pull.emit("kernel", kernel.resolvedEvent());
  using space = await PullSpace.reserve(deps, pull, fetchNeed(plan));
  const told = { ...pull, emit: space.emit };
  try {
    const layers = await bringLayersIn({ ...deps, ...told, source, image: plan.image });
    const all = [...layers, ...(await kernel.modulesLayer())];
    const tree = await flattenLayers(deps, told, all);
    await using injected = await injectAgents(deps, told, plan, all, tree);
    return await buildImage(deps, { ...told, kernel, space }, plan, layers, injected);
  } catch (error) {
    const digests = plan.image.manifest.layers.map(({ digest }) => digest);
    throw await blameDecay(error, { blobs: deps.blobs, digests, signal: pull.signal });
  }
}

/** Does it the first time that it is called. */
function once<T>(work: (value: T) => void): (value: T) => void {
  let done = false;
  return (value) => {
    if (!done) work(value);
    done = true;
  };
}

function fetchNeed({ image, bytesToFetch }: PullPlan): FetchNeed {
  return { bytesToFetch, layerBytes: image.manifest.layers.reduce((sum, { size }) => sum + size, 0) };
}

/** The image is here: it gets its name back where another had taken it over. */
async function reuse(
  deps: PipelineDeps,
  pull: PullContext,
  plan: PullPlan,
  existing: ImageRecord,
): Promise<ImageRecord> {
  refuseLosses(pull.request, existing.losses.length);
  const image = existing.name === plan.name ? existing : await deps.store.moveName(existing.id, plan.name);
  pull.emit("publish", { kind: "published", image, stageTimes: pull.clock.times(), alreadyPresent: true });
  return image;
}

/** Stage 5. */
async function flattenLayers(
  deps: PipelineDeps,
  pull: PullContext,
  layers: readonly LayerIn[],
): Promise<RootTree> {
  const indexes = layers.map(({ index }) => index);
  const { value: tree, durationMs } = await pull.clock.time("flatten", () =>
    runInSlices(flatten(indexes, { limits: deps.limits }), pull.signal),
  );
  const { inodeCount, contentBytes, hiddenEntries: hiddenEntryCount, losses } = tree;
  const facts = { inodeCount, contentBytes, hiddenEntryCount, lossCount: losses.length, durationMs };
  pull.emit("flatten", { kind: "flattened", ...facts });
  refuseLosses(pull.request, losses.length);
  return tree;
}

function refuseLosses(request: PullRequest, losses: number): void {
  if (!request.strict || losses === 0) return;
  throw new BangerError(
    "LOSS_REFUSED",
    `the disk could not hold everything the image says: ${losses} losses`,
    {
      op: "flatten layers",
      facts: { losses: String(losses) },
    },
  );
}

/** Stages 6 to 11, inside a folder that is removed unless it gets published. */
async function buildImage(
  deps: PipelineDeps,
  pull: PullContext & { readonly kernel: PullKernel; readonly space: PullSpace },
  plan: PullPlan,
  layers: readonly LayerIn[],
  injected: Injected,
): Promise<ImageRecord> {
  const { tree, injection } = injected;
  refuseLosses(pull.request, tree.losses.length);
  const id = newImageId();
  const builder = pull.request.builder ?? defaultBuilder;
  await pull.space.forBuild({ imageId: id, tree, builder });
  // Not before there is room: who waits for that must not hold up those whose end gives it.
  using _turn = await deps.builds.enter(pull.signal, (position) =>
    pull.emit("build", {
      kind: "waiting",
      position,
      why: "as many images are being built as there are processors",
    }),
  );
  await using staging = await createStaging(id, deps);
  const built = await buildRootfs(deps, pull, plan, injected, staging);
  const { boot, durationMs } = await pull.kernel.stage(plan, staging.dir, built.readiness.initPath);
  const image = imageRecord({
    id,
    request: pull.request,
    plan,
    layers: layers.map(({ index }) => index),
    tree,
    injection,
    bootReadiness: built.readiness,
    kernelId: pull.kernel.inputs?.id,
    boot,
    rootfsSizeBytes: built.sizeBytes,
    rootfsAllocatedBytes: allocatedBytes(await stat(staging.rootfsPath)),
    rootfsDigest: built.rootfsDigest,
    stageTimes: pull.clock.times(),
  });
  pull.emit("stage-boot", { kind: "bootArtifactsStaged", boot, imageId: id, durationMs });
  await pull.clock.time("publish", async () => {
    await writeStoredTree(staging.treePath, tree, plan.image.manifestDigest, deps.limits, pull.signal);
    await staging.publish(imageDocument(image), pull.kernel.publishedDir);
    await deps.store.insertImage(image).catch(async (error: unknown) => {
      await staging.unpublish();
      throw error;
    });
  });
  pull.emit("publish", { kind: "published", image, stageTimes: pull.clock.times(), alreadyPresent: false });
  return image;
}

interface BuiltRootfs extends BuiltFacts {
  readonly rootfsDigest: Digest | undefined;
  readonly readiness: BootReadiness;
}

/** Stages 6 to 9: the ext4, built, owned, and proven to hold what the tree says. */
async function buildRootfs(
  deps: PipelineDeps,
  pull: PullContext,
  plan: PullPlan,
  injected: Injected,
  staging: Staging,
): Promise<BuiltRootfs> {
  const { request, clock, emit, signal } = pull;
  const { tree, blobs: layers } = injected;
  const builder = await readyBuilder(deps, pull);
  const input = {
    tree,
    layers,
    target: staging.rootfsPath,
    tempDir: deps.tempDir,
    sizeBytes: request.sizeBytes,
    uuid: filesystemUuid(plan),
    hashSeed: derivedUuid("hash seed", plan.image.manifestDigest, plan.rootfsKey),
    trash: deps.trash,
    limits: deps.limits,
    signal,
  };
  const progress = (stage: Stage) => (body: { done: number; total: number; unit: string }) =>
    emit(stage, { kind: "stageProgress", ...body });

  const building = await clock.time("build", () =>
    builder.build({ ...input, onProgress: progress("build") }),
  );
  await using build = building.value;
  const { sizeBytes, contentBytes: contentBytesWritten } = build.built;
  const made = { builder: builder.name, sizeBytes, contentBytesWritten, durationMs: building.durationMs };
  emit("build", { kind: "ext4Built", ...made });

  const owned = await clock.time("own", () => build.applyOwnership());
  const { inodes, changes, devices, xattrs } = owned.value;
  const facts = { inodeCount: inodes, changeCount: changes, deviceCount: devices, xattrCount: xattrs };
  emit("own", { kind: "ownershipApplied", ...facts, durationMs: owned.durationMs });
  emit("inject", injectedEvent(injected));

  const depth = request.verify;
  const fsckMayBeMissing = builder.name === "direct";
  const verified = await clock.time("verify", () =>
    proveImage({ path: staging.rootfsPath, tree, depth, limits: deps.limits, signal, fsckMayBeMissing }),
  );
  const { inodeCount, contentBytesHashed, digest: rootfsDigest, fsck } = verified.value;
  const { config, platform } = plan.image;
  const agents = injected.injection !== undefined;
  const look = bootReadiness({ rootfs: staging.rootfsPath, platform, config, agents });
  const readiness = await runInSlices(look, signal);
  emit("verify", {
    kind: "verified",
    depth,
    inodeCount,
    contentBytesHashed,
    rootfsDigest,
    fsckSkipped: !fsck.ran,
    durationMs: verified.durationMs,
  });
  return { ...build.built, rootfsDigest, readiness };
}

async function readyBuilder(deps: PipelineDeps, pull: PullContext): Promise<RootfsBuilder> {
  const builder = deps.builders[pull.request.builder ?? defaultBuilder];
  await builder.check(pull.signal);
  return builder;
}
