import type { Image } from "../../../gen/banger/image/v1/image_pb.ts";
import { BangerError } from "../../base/error.ts";
import { initWord, type RootBus, rootDevices } from "../../kernel/boot-line.ts";
import { bootDrivers, type BootDriver } from "../../kernel/modules.ts";

/** All that a configuration is rendered from. */
export interface Machine {
  /** Of the kernel and the image, as OCI names it. */
  readonly architecture: string;
  readonly kernelPath: string;
  /** `bzImage`, `vmlinux` or `Image`. */
  readonly kernelFormat: string;
  readonly pvh: boolean;
  /** Empty without one. */
  readonly initrdPath: string;
  readonly hasInitrd: boolean;
  readonly builtins: readonly BootDriver[] | undefined;
  readonly disk: string;
  /** The disk is the published image itself: nothing is to write to it. */
  readonly shared: boolean;
  readonly filesystemUuid: string;
  /** What `init=` has to say; undefined where the kernel finds it. */
  readonly init: string | undefined;
}

/** A rendered configuration, and what may keep it from working. */
export interface Rendered {
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
}

/** CPUs and memory that every configuration gives: enough for a distribution to come up, and easy to change. */
export const machineSize = { cpus: 2, memoryMiB: 512 } as const;

/**
 * @param disk of the machine's own; undefined takes the published image, read-only, and so does that image's own path
 * @throws BangerError OPTION_INVALID where nothing stands beside the image.
 */
export function machineOf(image: Image, disk: string | undefined): Machine {
  const { boot } = image;
  if (boot === undefined || boot.kernelPath === "") {
    throw new BangerError("OPTION_INVALID", `image ${image.name || image.id} has no kernel beside it`, {
      op: "render machine",
      hint: "Pull it with --kernel-ref NAME, or with --kernel FILE.",
    });
  }
  return {
    architecture: image.platform?.architecture ?? "",
    kernelPath: boot.kernelPath,
    kernelFormat: boot.kernelFormat,
    pvh: boot.pvh,
    initrdPath: boot.initrdPath,
    hasInitrd: boot.initrdPath !== "",
    builtins: boot.builtinDriversKnown
      ? bootDrivers.filter((driver) => boot.builtinDrivers.includes(driver))
      : undefined,
    disk: disk ?? image.rootfsPath,
    shared: disk === undefined || disk === image.rootfsPath,
    filesystemUuid: image.filesystemUuid,
    init: initWord(image.bootReadiness?.initPath ?? ""),
  };
}

/** The device that the kernel mounts: only an initrd knows a file system by its UUID. Pure. */
export function rootOf(machine: Machine, bus: RootBus): string {
  return machine.hasInitrd ? `UUID=${machine.filesystemUuid}` : rootDevices[bus];
}

/** What a user should know of a machine whose root disk is the published image. Pure. */
export function sharedDiskWarning(machine: Machine): readonly string[] {
  if (!machine.shared) return [];
  return [
    "the disk is the published image, read-only: copy it, and give the copy with --disk, for a machine that writes",
  ];
}
