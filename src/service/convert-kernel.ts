import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { BootArtifactsSchema } from "../../gen/banger/image/v1/image_pb.ts";
import {
  CatalogEntrySchema,
  KernelSchema,
  type CatalogEntry as CatalogEntryMessage,
  type Kernel,
} from "../../gen/banger/image/v1/kernel_service_pb.ts";
import { Sharing as SharingMessage } from "../../gen/banger/image/v1/pull_pb.ts";
import type { Sharing } from "../base/share-file.ts";
import { imagePaths } from "../images/layout.ts";
import type { BootRecord, KernelRecord } from "../kernel/kernel-record.ts";
import { formatKernelSource } from "../kernel/kernel-ref.ts";
import type { CatalogEntry } from "../kernel/kernel-source.ts";
import { kernelDir, kernelPathsIn } from "../kernel/layout.ts";

export function kernelMessage(record: KernelRecord, imageCount: number, stateDir: string): Kernel {
  const paths = kernelPathsIn(kernelDir(stateDir, record.name));
  return create(KernelSchema, {
    name: record.name,
    version: record.version,
    architecture: record.architecture,
    kernelPath: paths.kernel,
    initrdPath: record.hasInitrd ? paths.initrd : "",
    modulesPath: record.modules === undefined ? "" : paths.modules,
    sizeBytes: BigInt(record.sizeBytes),
    createTime: timestampFromMs(record.createdAt),
    digest: record.digest,
    source: record.source,
    imageCount,
    warnings: [...record.warnings],
    format: record.format,
    modulesRelease: record.modules?.release ?? "",
  });
}

export function catalogMessage(entry: CatalogEntry, local: boolean): CatalogEntryMessage {
  const { catalog, name, version, architecture, source } = entry;
  const shown = formatKernelSource(source);
  return create(CatalogEntrySchema, { catalog, name, version, architecture, source: shown, local });
}

/** What stands beside an image, by its paths once that is published. */
export function bootMessage(
  boot: BootRecord,
  imageId: string,
  stateDir: string,
): MessageInitShape<typeof BootArtifactsSchema> {
  const paths = kernelPathsIn(imagePaths(stateDir, imageId).dir);
  return {
    kernelName: boot.kernelName,
    kernelPath: paths.kernel,
    initrdPath: boot.hasInitrd ? paths.initrd : "",
    modulesPath: boot.hasModules ? paths.modules : "",
    suggestedCommandLine: boot.commandLine,
    kernelVersion: boot.kernelVersion,
    rootDevice: boot.rootDevice,
    kernelFormat: boot.kernelFormat,
    kernelDigest: boot.kernelDigest,
    builtinDrivers: [...(boot.builtins ?? [])],
    builtinDriversKnown: boot.builtins !== undefined,
    pvh: boot.pvh,
    modulesInRootfs: boot.modulesInRootfs,
    warnings: [...boot.warnings],
  };
}

export const sharingMessages: Readonly<Record<Sharing, SharingMessage>> = {
  reflink: SharingMessage.REFLINK,
  link: SharingMessage.HARD_LINK,
  copy: SharingMessage.COPY,
};
