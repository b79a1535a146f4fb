import type { BootDriver } from "./modules.ts";

/** How a machine shows its root disk to the kernel. */
export type RootBus = "virtio-pci" | "virtio-mmio" | "nvme";

export const rootDevices: Readonly<Record<RootBus, string>> = {
  "virtio-pci": "/dev/vda",
  "virtio-mmio": "/dev/vda",
  nvme: "/dev/nvme0n1",
};

/**
 * The bus that a kernel finds its root on. With an initrd that is virtio, which every distribution's brings; without,
 * what is in the kernel itself, and virtio where nothing tells: it is what kernels for microVMs are built with. Pure.
 */
export function rootBusOf(kernel: {
  readonly hasInitrd: boolean;
  readonly builtins: readonly BootDriver[] | undefined;
}): RootBus {
  const { builtins } = kernel;
  if (kernel.hasInitrd || builtins === undefined) return "virtio-pci";
  const has = (...drivers: readonly BootDriver[]): boolean => drivers.every((one) => builtins.includes(one));
  if (has("virtio_blk", "virtio_pci")) return "virtio-pci";
  if (has("virtio_blk", "virtio_mmio")) return "virtio-mmio";
  return has("nvme") ? "nvme" : "virtio-pci";
}

/** What would keep a kernel from mounting the root on such a bus; undefined where nothing would, or nothing tells. Pure. */
export function missingFor(
  bus: RootBus,
  kernel: { readonly hasInitrd: boolean; readonly builtins: readonly BootDriver[] | undefined },
): string | undefined {
  const { builtins } = kernel;
  if (kernel.hasInitrd || builtins === undefined) return undefined;
  const needed: Readonly<Record<RootBus, readonly BootDriver[]>> = {
    "virtio-pci": ["ext4", "virtio_blk", "virtio_pci"],
    "virtio-mmio": ["ext4", "virtio_blk", "virtio_mmio"],
    nvme: ["ext4", "nvme"],
  };
  const missing = needed[bus].filter((driver) => !builtins.includes(driver));
  if (missing.length === 0) return undefined;
  return `the kernel has ${missing.join(" and ")} as a module only, and there is no initrd to load it from`;
}

export interface BootLine {
  /** Of the kernel, as OCI names it. */
  readonly architecture: string;
  /** A device, or `UUID=…`, which takes an initrd. */
  readonly root: string;
  readonly readOnly: boolean;
  /** Absolute; undefined where the kernel finds it by itself (init/main.c, `kernel_init`). */
  readonly init: string | undefined;
  /** Words of the machine's own. */
  readonly more?: readonly string[];
}

/** A kernel's command line (Documentation/admin-guide/kernel-parameters.txt). Pure. */
export function bootLine({ architecture, root, readOnly, init, more = [] }: BootLine): string {
  const console = architecture === "arm64" || architecture === "arm" ? "ttyAMA0" : "ttyS0";
  const words = [`console=${console}`, `root=${root}`, readOnly ? "ro" : "rw", ...more];
  return [...words, ...(init === undefined ? [] : [`init=${init}`])].join(" ");
}

/** Those that the kernel looks for without being told. */
const foundAlone: ReadonlySet<string> = new Set(["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"]);

/** What `init=` has to say of an image's init. Pure. */
export function initWord(initPath: string): string | undefined {
  return initPath === "" || foundAlone.has(initPath) ? undefined : initPath;
}
