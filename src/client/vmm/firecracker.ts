import { missingFor } from "../../kernel/boot-line.ts";
import { machineSize, sharedDiskWarning, type Machine, type Rendered } from "./machine.ts";

/**
 * A configuration of Firecracker, for its --config-file. It says `root=/dev/vda` to the kernel by itself, `ro` or `rw`
 * as the drive is (docs/getting-started.md); its serial port is an 8250 on every processor. Pure.
 */
export function renderFirecracker(machine: Machine): Rendered {
  const { kernelPath, initrdPath, init, disk, shared } = machine;
  const { cpus, memoryMiB } = machineSize;
  const words = ["console=ttyS0", "reboot=k", "panic=1", "pci=off"];
  const config = {
    "boot-source": {
      kernel_image_path: kernelPath,
      ...(initrdPath === "" ? {} : { initrd_path: initrdPath }),
      boot_args: [...words, ...(init === undefined ? [] : [`init=${init}`])].join(" "),
    },
    drives: [{ drive_id: "rootfs", path_on_host: disk, is_root_device: true, is_read_only: shared }],
    "machine-config": { vcpu_count: cpus, mem_size_mib: memoryMiB },
  };
  const missing = missingFor("virtio-mmio", machine);
  return {
    lines: JSON.stringify(config, undefined, 2).split("\n"),
    warnings: [
      ...(machine.kernelFormat === "bzImage"
        ? [
            "Firecracker starts an uncompressed vmlinux, and this kernel is a bzImage: scripts/extract-vmlinux of Linux's sources makes the one of the other",
          ]
        : []),
      ...(missing === undefined ? [] : [missing]),
      ...sharedDiskWarning(machine),
    ],
  };
}
