import { printable } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import type { BootReadiness } from "../guest/boot-readiness.ts";
import type { Injection } from "../guest/inject.ts";
import { rootfsName } from "../images/layout.ts";
import { initrdFile, kernelFile, modulesFolder } from "../kernel/layout.ts";
import type { BootRecord } from "../kernel/kernel-record.ts";
import type { LayerIndex } from "../layers/layer-index.ts";
import type { Loss, RootTree } from "../layers/root-tree.ts";
import type { ImageRecord, LossRecord, StageTime } from "../store/records.ts";
import { defaultBuilder, filesystemUuid } from "./identity.ts";
import type { PullPlan } from "./plan.ts";
import type { PullRequest } from "./request.ts";

export interface FinishedImage {
  readonly id: string;
  readonly request: PullRequest;
  readonly plan: PullPlan;
  readonly layers: readonly LayerIndex[];
  readonly tree: RootTree;
  /** Undefined where nothing was to be injected. */
  readonly injection: Pick<Injection, "files" | "scrubbedPaths"> | undefined;
  readonly bootReadiness: BootReadiness;
  readonly kernelId: string | undefined;
  readonly boot: BootRecord | undefined;
  readonly rootfsSizeBytes: number;
  readonly rootfsAllocatedBytes: number;
  readonly rootfsDigest: Digest | undefined;
  readonly stageTimes: readonly StageTime[];
}

/** What the store and `image.json` say of a finished image. Pure, but for the time. */
export function imageRecord(finished: FinishedImage): ImageRecord {
  const { plan, tree } = finished;
  const { image } = plan;
  const { entrypoint, cmd, env, workingDir, user, labels, exposedPorts, stopSignal } = image.config;
  return {
    id: finished.id,
    name: plan.name,
    repository: image.repository,
    reference: image.reference,
    manifestDigest: image.manifestDigest,
    indexDigest: image.indexDigest,
    configDigest: image.config.digest,
    platform: image.platform,
    createdAt: Date.now(),
    optionsKey: plan.optionsKey,
    builder: finished.request.builder ?? defaultBuilder,
    rootfsSizeBytes: finished.rootfsSizeBytes,
    rootfsAllocatedBytes: finished.rootfsAllocatedBytes,
    rootfsDigest: finished.rootfsDigest,
    filesystemUuid: filesystemUuid(plan),
    inodeCount: tree.inodeCount,
    contentBytes: tree.contentBytes,
    layers: finished.layers.map((layer, at) => ({
      digest: layer.blobDigest,
      diffId: layer.diffId,
      mediaType: image.manifest.layers[at]?.mediaType ?? "",
      sizeBytes: image.manifest.layers[at]?.size ?? 0,
      inflatedBytes: layer.inflatedBytes,
      entryCount: layer.entries.length,
    })),
    losses: tree.losses.map(lossRecord),
    config: { entrypoint, cmd, env, workingDir, user, labels, exposedPorts, stopSignal },
    stageTimes: finished.stageTimes,
    injectedFiles: finished.injection?.files ?? [],
    scrubbedPaths: finished.injection?.scrubbedPaths ?? [],
    bootReadiness: finished.bootReadiness,
    kernelId: finished.kernelId,
    boot: finished.boot,
  };
}

/** What `image.json` says: the record, and the names of the files that stand beside it. Pure. */
export function imageDocument(image: ImageRecord): object {
  const { boot } = image;
  if (boot === undefined) return { ...image, rootfsFile: rootfsName };
  const files = {
    kernelFile,
    ...(boot.hasInitrd ? { initrdFile } : {}),
    ...(boot.hasModules ? { modulesFolder } : {}),
  };
  return { ...image, rootfsFile: rootfsName, boot: { ...boot, ...files } };
}

function lossRecord(loss: Loss): LossRecord {
  const { kind, layerDigest, entryNumber, detail } = loss;
  return { kind, path: printable(loss.path), layerDigest, entryNumber, detail };
}
