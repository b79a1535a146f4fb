import { bootLine, missingFor, rootBusOf, type RootBus } from "../../kernel/boot-line.ts";
import { machineSize, rootOf, type Machine, type Rendered } from "./machine.ts";
import { shellCommand } from "../../base/shell-word.ts";

/**
 * A command line of QEMU, for a shell. Where the disk is the published image, what the machine writes goes into a
 * temporary file of QEMU's. Software emulation, which works everywhere: KVM is an option more. Pure.
 */
export function renderQemu(machine: Machine): Rendered {
  const bus = rootBusOf(machine);
  const { architecture, kernelPath, initrdPath, init, disk, shared } = machine;
  const arm = architecture === "arm64" || architecture === "arm";
  const root = rootOf(machine, bus);
  const more = ["panic=-1"];
  const line = bootLine({ architecture, root, readOnly: false, init, more });
  const drive = `file=${disk.replaceAll(",", ",,")},format=raw,if=none,id=root${shared ? ",snapshot=on" : ""}`;
  const { cpus, memoryMiB } = machineSize;
  const lines = shellCommand(arm ? "qemu-system-aarch64" : "qemu-system-x86_64", [
    ["-machine", arm ? "virt" : bus === "virtio-mmio" ? "microvm" : "pc", "-cpu", "max"],
    ["-smp", String(cpus), "-m", String(memoryMiB)],
    ["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-nic", "none"],
    ["-kernel", kernelPath],
    ...(initrdPath === "" ? [] : [["-initrd", initrdPath]]),
    ["-append", line],
    ["-drive", drive],
    ["-device", devices[bus]],
  ]);
  return { lines, warnings: warningsOf(machine, bus) };
}

const devices: Readonly<Record<RootBus, string>> = {
  "virtio-pci": "virtio-blk-pci,drive=root",
  "virtio-mmio": "virtio-blk-device,drive=root",
  nvme: "nvme,drive=root,serial=root",
};

function warningsOf(machine: Machine, bus: RootBus): readonly string[] {
  const missing = missingFor(bus, machine);
  return [
    ...(missing === undefined ? [] : [missing]),
    ...(machine.kernelFormat === "vmlinux" && !machine.pvh
      ? ["QEMU enters a vmlinux only by PVH, which this kernel was built without (CONFIG_PVH)"]
      : []),
    ...(machine.shared
      ? [
          "what the machine writes is thrown away at its end: copy the disk, and give the copy with --disk, to keep it",
        ]
      : []),
    "this is software emulation: add -accel kvm where /dev/kvm works",
  ];
}
