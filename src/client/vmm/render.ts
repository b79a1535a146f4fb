import { renderCloudHypervisor } from "./cloud-hypervisor.ts";
import { renderFirecracker } from "./firecracker.ts";
import type { Machine, Rendered } from "./machine.ts";
import { renderQemu } from "./qemu.ts";

export const vmms = ["firecracker", "qemu", "cloud-hypervisor"] as const;

export type Vmm = (typeof vmms)[number];

const renderers: Readonly<Record<Vmm, (machine: Machine) => Rendered>> = {
  firecracker: renderFirecracker,
  qemu: renderQemu,
  "cloud-hypervisor": renderCloudHypervisor,
};

/** What starts the machine with that program. Pure. */
export function renderMachine(vmm: Vmm, machine: Machine): Rendered {
  return renderers[vmm](machine);
}
