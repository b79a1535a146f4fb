import type { Digest } from "../base/digest.ts";
import type { Sharing } from "../base/share-file.ts";
import type { KernelFormat } from "./kernel-head.ts";
import type { BootDriver } from "./modules.ts";

/** What is known of a kernel from its files alone. */
export interface KernelFacts {
  /** As `uname -r` says inside. */
  readonly version: string;
  /** As OCI names it. */
  readonly architecture: string;
  readonly format: KernelFormat;
  /** QEMU and Cloud Hypervisor can enter it; false only for some vmlinux. */
  readonly pvh: boolean;
  /** Of the kernel's file. */
  readonly digest: Digest;
  /** Of all its files: equal digests are equal kernels. */
  readonly contentDigest: Digest;
  readonly hasInitrd: boolean;
  readonly modules: KernelModules | undefined;
  /** Undefined where nothing tells. */
  readonly builtins: readonly BootDriver[] | undefined;
  readonly warnings: readonly string[];
}

export interface KernelModules {
  /** That they were built for. */
  readonly release: string;
  /** `modules.dep` is there: a guest's modprobe finds them. */
  readonly indexed: boolean;
}

/** A kernel of the store, as its row and `kernel.json` tell. */
export interface KernelRecord extends KernelFacts {
  /** Opaque, and unique for ever: a name may come back with another kernel. */
  readonly id: string;
  readonly name: string;
  /** What its files take on the host's disk. */
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Where it came from, as a person would write it. */
  readonly source: string;
}

/** The kernel beside an image, and how to start the image with it. */
export interface BootRecord {
  /** Empty where the kernel's files were given, not its name. */
  readonly kernelName: string;
  readonly kernelVersion: string;
  readonly kernelFormat: KernelFormat;
  readonly kernelDigest: Digest;
  readonly pvh: boolean;
  readonly hasInitrd: boolean;
  readonly hasModules: boolean;
  /** The modules are in the root file system as well. */
  readonly modulesInRootfs: boolean;
  readonly builtins: readonly BootDriver[] | undefined;
  /** Where the suggested command line has the root, as `/dev/vda`. */
  readonly rootDevice: string;
  readonly commandLine: string;
  readonly sharing: Sharing;
  readonly warnings: readonly string[];
}
