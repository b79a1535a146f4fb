import type { Insertable, Selectable } from "kysely";
import { sharings } from "../base/share-file.ts";
import { builderNames } from "../ext4/builder.ts";
import { Field } from "./json.ts";
import type {
  BootReadinessRecord,
  ConfigRecord,
  ImageRecord,
  InjectedFileRecord,
  LayerRecord,
  LossRecord,
  PullRecord,
  PullState,
  StageTime,
} from "./records.ts";
import { kernelFormats } from "../kernel/kernel-head.ts";
import type { BootRecord } from "../kernel/kernel-record.ts";
import { bootDrivers } from "../kernel/modules.ts";
import type { ImageLayersTable, ImagesTable, PullsTable } from "./schema.ts";
import type { Platform } from "../oci/platform.ts";

/** What a list shows of an image: all but what only one image at a time is asked for. */
export type ImageSummary = Omit<
  ImageRecord,
  | "layers"
  | "losses"
  | "stageTimes"
  | "injectedFiles"
  | "scrubbedPaths"
  | "bootReadiness"
  | "kernelId"
  | "boot"
>;

export const summaryColumns = [
  "id",
  "name",
  "repository",
  "reference",
  "manifest_digest",
  "index_digest",
  "config_digest",
  "platform_json",
  "created_at",
  "options_key",
  "builder",
  "rootfs_size_bytes",
  "rootfs_allocated_bytes",
  "rootfs_digest",
  "filesystem_uuid",
  "inode_count",
  "content_bytes",
  "config_json",
] as const satisfies readonly (keyof ImagesTable)[];

export type SummaryRow = Pick<Selectable<ImagesTable>, (typeof summaryColumns)[number]>;

export function imageRow(record: ImageRecord): Insertable<ImagesTable> {
  return {
    id: record.id,
    name: record.name === "" ? null : record.name,
    repository: record.repository,
    reference: record.reference,
    manifest_digest: record.manifestDigest,
    index_digest: record.indexDigest ?? null,
    config_digest: record.configDigest,
    platform_json: JSON.stringify(record.platform),
    created_at: record.createdAt,
    options_key: record.optionsKey,
    builder: record.builder,
    rootfs_size_bytes: record.rootfsSizeBytes,
    rootfs_allocated_bytes: record.rootfsAllocatedBytes,
    rootfs_digest: record.rootfsDigest ?? null,
    filesystem_uuid: record.filesystemUuid,
    inode_count: record.inodeCount,
    content_bytes: record.contentBytes,
    config_json: JSON.stringify(record.config),
    losses_json: JSON.stringify(record.losses),
    stage_times_json: JSON.stringify(record.stageTimes),
    injected_files_json: JSON.stringify(record.injectedFiles),
    scrubbed_paths_json: JSON.stringify(record.scrubbedPaths),
    boot_readiness_json: JSON.stringify(record.bootReadiness),
    kernel_id: record.kernelId ?? null,
    boot_json: record.boot === undefined ? null : JSON.stringify(record.boot),
  };
}

export function layerRows(record: ImageRecord): readonly Insertable<ImageLayersTable>[] {
  return record.layers.map((layer, position) => ({
    image_id: record.id,
    position,
    digest: layer.digest,
    diff_id: layer.diffId,
    media_type: layer.mediaType,
    size_bytes: layer.sizeBytes,
    inflated_bytes: layer.inflatedBytes,
    entry_count: layer.entryCount,
  }));
}

export function parseSummary(row: SummaryRow): ImageSummary {
  const at = `image ${row.id}`;
  return {
    id: row.id,
    name: row.name ?? "",
    repository: row.repository,
    reference: row.reference,
    manifestDigest: new Field(row.manifest_digest, `${at} manifest`).digest(),
    indexDigest: new Field(row.index_digest, `${at} index`).optionalDigest(),
    configDigest: new Field(row.config_digest, `${at} config`).digest(),
    platform: parsePlatform(Field.fromJson(row.platform_json, `${at} platform`)),
    createdAt: row.created_at,
    optionsKey: row.options_key,
    builder: new Field(row.builder, `${at} builder`).oneOf(builderNames),
    rootfsSizeBytes: row.rootfs_size_bytes,
    rootfsAllocatedBytes: row.rootfs_allocated_bytes,
    rootfsDigest: new Field(row.rootfs_digest, `${at} rootfs digest`).optionalDigest(),
    filesystemUuid: row.filesystem_uuid,
    inodeCount: row.inode_count,
    contentBytes: row.content_bytes,
    config: parseConfig(Field.fromJson(row.config_json, `${at} config`)),
  };
}

export function parseImage(
  row: Selectable<ImagesTable>,
  layers: readonly Selectable<ImageLayersTable>[],
): ImageRecord {
  const at = `image ${row.id}`;
  return {
    ...parseSummary(row),
    layers: layers.map(parseLayer),
    losses: Field.fromJson(row.losses_json, `${at} losses`).list(parseLoss),
    stageTimes: Field.fromJson(row.stage_times_json, `${at} stage times`).list(parseStageTime),
    injectedFiles: Field.fromJson(row.injected_files_json, `${at} injected files`).list(parseInjectedFile),
    scrubbedPaths: Field.fromJson(row.scrubbed_paths_json, `${at} scrubbed paths`).strings(),
    bootReadiness: parseBootReadiness(Field.fromJson(row.boot_readiness_json, `${at} boot readiness`)),
    kernelId: row.kernel_id ?? undefined,
    boot: row.boot_json === null ? undefined : parseBoot(Field.fromJson(row.boot_json, `${at} boot`)),
  };
}

function parseInjectedFile(field: Field): InjectedFileRecord {
  return {
    path: field.get("path").string(),
    mode: field.get("mode").number(),
    sizeBytes: field.get("sizeBytes").number(),
    digest: field.get("digest").optionalDigest(),
    linkTarget: field.get("linkTarget").string(),
    replaced: field.get("replaced").boolean(),
  };
}

function parseBootReadiness(field: Field): BootReadinessRecord {
  return {
    initPath: field.get("initPath").string(),
    obstacles: field.get("obstacles").strings(),
  };
}

function parseBoot(field: Field): BootRecord {
  return {
    kernelName: field.get("kernelName").string(),
    kernelVersion: field.get("kernelVersion").string(),
    kernelFormat: field.get("kernelFormat").oneOf(kernelFormats),
    kernelDigest: field.get("kernelDigest").digest(),
    pvh: field.get("pvh").boolean(),
    hasInitrd: field.get("hasInitrd").boolean(),
    hasModules: field.get("hasModules").boolean(),
    modulesInRootfs: field.get("modulesInRootfs").boolean(),
    builtins: field.get("builtins").optionalList((item) => item.oneOf(bootDrivers)),
    rootDevice: field.get("rootDevice").string(),
    commandLine: field.get("commandLine").string(),
    sharing: field.get("sharing").oneOf(sharings),
    warnings: field.get("warnings").strings(),
  };
}

function parseLayer(row: Selectable<ImageLayersTable>): LayerRecord {
  const at = `image ${row.image_id} layer ${row.position}`;
  return {
    digest: new Field(row.digest, `${at} digest`).digest(),
    diffId: new Field(row.diff_id, `${at} diffID`).digest(),
    mediaType: row.media_type,
    sizeBytes: row.size_bytes,
    inflatedBytes: row.inflated_bytes,
    entryCount: row.entry_count,
  };
}

function parsePlatform(field: Field): Platform {
  const variant = field.get("variant").optionalString();
  const osVersion = field.get("osVersion").optionalString();
  const osFeatures = field.get("osFeatures").optional((list) => list.strings());
  return {
    os: field.get("os").string(),
    architecture: field.get("architecture").string(),
    ...(variant === undefined ? {} : { variant }),
    ...(osVersion === undefined ? {} : { osVersion }),
    ...(osFeatures === undefined ? {} : { osFeatures }),
  };
}

function parseConfig(field: Field): ConfigRecord {
  const strings = (name: string): readonly string[] => field.get(name).strings();
  return {
    entrypoint: strings("entrypoint"),
    cmd: strings("cmd"),
    env: strings("env"),
    workingDir: field.get("workingDir").string(),
    user: field.get("user").string(),
    labels: field.get("labels").stringMap(),
    exposedPorts: strings("exposedPorts"),
    stopSignal: field.get("stopSignal").string(),
  };
}

function parseLoss(field: Field): LossRecord {
  return {
    kind: field.get("kind").string(),
    path: field.get("path").string(),
    layerDigest: field.get("layerDigest").digest(),
    entryNumber: field.get("entryNumber").number(),
    detail: field.get("detail").string(),
  };
}

function parseStageTime(field: Field): StageTime {
  return { stage: field.get("stage").string(), durationMs: field.get("durationMs").number() };
}

const pullStates: readonly PullState[] = ["waiting", "running", "published", "failed", "cancelled"];

export function pullRow(record: PullRecord): Insertable<PullsTable> {
  return {
    id: record.id,
    reference: record.reference,
    name: record.name,
    state: record.state,
    started_at: record.startedAt,
    ended_at: record.endedAt ?? null,
    manifest_digest: record.manifestDigest ?? null,
    image_id: record.imageId ?? null,
    stage_times_json: JSON.stringify(record.stageTimes),
    failure_reason: record.failureReason,
    failure_message: record.failureMessage,
    detached: record.detached ? 1 : 0,
  };
}

export function parsePull(row: Selectable<PullsTable>): PullRecord {
  const at = `pull ${row.id}`;
  return {
    id: row.id,
    reference: row.reference,
    name: row.name,
    state: new Field(row.state, `${at} state`).oneOf(pullStates),
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
    manifestDigest: new Field(row.manifest_digest, `${at} manifest`).optionalDigest(),
    imageId: row.image_id ?? undefined,
    stageTimes: Field.fromJson(row.stage_times_json, `${at} stage times`).list(parseStageTime),
    failureReason: row.failure_reason,
    failureMessage: row.failure_message,
    detached: row.detached === 1,
  };
}
