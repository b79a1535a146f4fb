import { bootLine, missingFor } from "../../kernel/boot-line.ts";
import { machineSize, rootOf, sharedDiskWarning, type Machine, type Rendered } from "./machine.ts";
import { shellCommand } from "../../base/shell-word.ts";

/** A command line of Cloud Hypervisor, for a shell. Pure. */
export function renderCloudHypervisor(machine: Machine): Rendered {
  const { architecture, kernelPath, initrdPath, init, disk, shared } = machine;
  const root = rootOf(machine, "virtio-pci");
  const line = bootLine({ architecture, root, readOnly: shared, init, more: ["panic=1"] });
  const { cpus, memoryMiB } = machineSize;
  const lines = shellCommand("cloud-hypervisor", [
    ["--kernel", kernelPath],
    ...(initrdPath === "" ? [] : [["--initramfs", initrdPath]]),
    ["--cmdline", line],
    ["--disk", `path=${optionValue(disk)}${shared ? ",readonly=on" : ""}`],
    ["--cpus", `boot=${cpus}`, "--memory", `size=${memoryMiB}M`],
    ["--serial", "tty", "--console", "off"],
  ]);
  const missing = missingFor("virtio-pci", machine);
  return {
    lines,
    warnings: [
      ...(machine.kernelFormat === "vmlinux" && !machine.pvh
        ? ["Cloud Hypervisor enters a vmlinux only by PVH, which this kernel was built without (CONFIG_PVH)"]
        : []),
      ...(machine.kernelFormat === "bzImage"
        ? ["older versions of Cloud Hypervisor start a vmlinux only, and no bzImage"]
        : []),
      ...(missing === undefined ? [] : [missing]),
      ...sharedDiskWarning(machine),
    ],
  };
}

/** Its option parser splits at commas that are not within quotes. */
function optionValue(text: string): string {
  return text.includes(",") ? `"${text}"` : text;
}
