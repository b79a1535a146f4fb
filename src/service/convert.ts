import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs, type Duration } from "@bufbuild/protobuf/wkt";
import {
  BootArtifactsSchema,
  BootReadinessSchema,
  Builder,
  ImageSchema,
  InjectedFileSchema,
  LayerSchema,
  LossSchema,
  PlatformSchema,
  RuntimeConfigSchema,
  StageTimeSchema,
  type BootReadiness,
  type Image,
  type InjectedFile,
  type Layer,
  type Loss,
  type Platform as PlatformMessage,
  type RuntimeConfig,
  type StageTime as StageTimeMessage,
} from "../../gen/banger/image/v1/image_pb.ts";
import { PullSchema, PullState, type Pull } from "../../gen/banger/image/v1/pull_pb.ts";
import { bootMessage } from "./convert-kernel.ts";
import type { BuilderName } from "../ext4/builder.ts";
import { imagePaths } from "../images/layout.ts";
import type { Platform } from "../oci/platform.ts";
import type {
  BootReadinessRecord,
  ConfigRecord,
  ImageRecord,
  InjectedFileRecord,
  LayerRecord,
  LossRecord,
  PullRecord,
  StageTime,
} from "../store/records.ts";
import type { ImageSummary } from "../store/store.ts";

/**
 * Characters of one message's losses. A gRPC client takes 4 MiB by default, `Published` has the list twice, and a
 * path alone may have 4 KiB; all of them are in the image's `image.json`.
 */
const maxLossText = 256 * 1024;

/** Injected files of one message; the package's own are some twenty, and all are in `image.json`. */
const maxInjected = 1000;

/** An image with all that is known of it. */
export function imageMessage(record: ImageRecord, stateDir: string): Image {
  const message = summaryMessage(record, stateDir);
  message.layers = record.layers.map(layerMessage);
  message.losses = lossMessages(record.losses);
  message.stageTimes = stageTimeMessages(record.stageTimes);
  message.injectedFiles = injectedFileMessages(record.injectedFiles);
  message.scrubbedPaths = [...record.scrubbedPaths];
  message.bootReadiness = bootReadinessMessage(record.bootReadiness);
  if (record.boot !== undefined) {
    message.boot = create(BootArtifactsSchema, bootMessage(record.boot, record.id, stateDir));
  }
  return message;
}

/**
 * An image as lists show it. Written out, where `create` would do: of a page of a hundred, that took a third of all time
 * and half of all memory.
 */
export function summaryMessage(record: ImageSummary, stateDir: string): Image {
  return {
    $typeName: ImageSchema.typeName,
    id: record.id,
    name: record.name,
    repository: record.repository,
    reference: record.reference,
    manifestDigest: record.manifestDigest,
    indexDigest: record.indexDigest ?? "",
    configDigest: record.configDigest,
    platform: platformMessage(record.platform),
    createTime: timestampFromMs(record.createdAt),
    rootfsPath: imagePaths(stateDir, record.id).rootfs,
    rootfsSizeBytes: BigInt(record.rootfsSizeBytes),
    rootfsAllocatedBytes: BigInt(record.rootfsAllocatedBytes),
    rootfsDigest: record.rootfsDigest ?? "",
    filesystemUuid: record.filesystemUuid,
    builder: builderMessage(record.builder),
    layers: [],
    losses: [],
    config: configMessage(record.config),
    stageTimes: [],
    inodeCount: BigInt(record.inodeCount),
    contentBytes: BigInt(record.contentBytes),
    injectedFiles: [],
    scrubbedPaths: [],
  };
}

function configMessage(config: ConfigRecord): RuntimeConfig {
  return {
    $typeName: RuntimeConfigSchema.typeName,
    entrypoint: [...config.entrypoint],
    cmd: [...config.cmd],
    env: [...config.env],
    workingDir: config.workingDir,
    user: config.user,
    labels: { ...config.labels },
    exposedPorts: [...config.exposedPorts],
    stopSignal: config.stopSignal,
  };
}

export function pullMessage(record: PullRecord, watcherCount: number): Pull {
  return create(PullSchema, {
    id: record.id,
    reference: record.reference,
    name: record.name,
    state: pullStates[record.state],
    startTime: timestampFromMs(record.startedAt),
    ...(record.endedAt === undefined ? {} : { endTime: timestampFromMs(record.endedAt) }),
    manifestDigest: record.manifestDigest ?? "",
    imageId: record.imageId ?? "",
    stageTimes: stageTimeMessages(record.stageTimes),
    failureReason: record.failureReason,
    failureMessage: record.failureMessage,
    watcherCount,
    detached: record.detached,
  });
}

const pullStates = {
  waiting: PullState.WAITING,
  running: PullState.RUNNING,
  published: PullState.PUBLISHED,
  failed: PullState.FAILED,
  cancelled: PullState.CANCELLED,
} as const satisfies Record<PullRecord["state"], PullState>;

export function platformMessage({ os, architecture, variant }: Platform): PlatformMessage {
  return { $typeName: PlatformSchema.typeName, os, architecture, variant: variant ?? "" };
}

export function builderMessage(builder: BuilderName): Builder {
  return builder === "direct" ? Builder.DIRECT : Builder.E2FSPROGS;
}

export function stageTimeMessages(times: readonly StageTime[]): StageTimeMessage[] {
  return times.map(({ stage, durationMs }) =>
    create(StageTimeSchema, { stage, duration: durationMessage(durationMs) }),
  );
}

/** All of them, or the first: a folder of one's own may hold more than a message has room for. */
export function injectedFileMessages(files: readonly InjectedFileRecord[]): InjectedFile[] {
  return files.slice(0, maxInjected).map(({ path, mode, sizeBytes, digest, linkTarget, replaced }) =>
    create(InjectedFileSchema, {
      path,
      mode,
      sizeBytes: BigInt(sizeBytes),
      digest: digest ?? "",
      linkTarget,
      replaced,
    }),
  );
}

function bootReadinessMessage({ initPath, obstacles }: BootReadinessRecord): BootReadiness {
  return create(BootReadinessSchema, { initPath, obstacles: [...obstacles] });
}

/** Rounded: a fraction would make `nanos` a number that no int32 is. */
export function durationMessage(milliseconds: number): Duration {
  return durationFromMs(Math.round(milliseconds));
}

/** What is known of a layer before it was scanned leaves the rest 0. */
export function layerMessage(
  layer: Pick<LayerRecord, "digest" | "diffId" | "mediaType" | "sizeBytes"> & Partial<LayerRecord>,
): Layer {
  return create(LayerSchema, {
    digest: layer.digest,
    diffId: layer.diffId,
    mediaType: layer.mediaType,
    sizeBytes: BigInt(layer.sizeBytes),
    inflatedBytes: BigInt(layer.inflatedBytes ?? 0),
    entryCount: BigInt(layer.entryCount ?? 0),
  });
}

/** All of them, or the first and one that says how many more there are. */
export function lossMessages(losses: readonly LossRecord[]): Loss[] {
  const shown: Loss[] = [];
  let room = maxLossText;
  for (const { kind, path, layerDigest, entryNumber, detail } of losses) {
    room -= kind.length + path.length + layerDigest.length + detail.length;
    if (room < 0) break;
    shown.push(create(LossSchema, { kind, path, layerDigest, entryNumber: BigInt(entryNumber), detail }));
  }
  const more = losses.length - shown.length;
  if (more > 0) {
    const detail = `${more} more losses are listed in the image's image.json.`;
    shown.push(create(LossSchema, { kind: "MORE", detail }));
  }
  return shown;
}
