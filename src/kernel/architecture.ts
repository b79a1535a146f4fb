import { BangerError } from "../base/error.ts";

/** 64-bit kernels that run the programs of a 32-bit processor too, as distributions build them. */
const runsToo: Readonly<Record<string, string>> = { amd64: "386", arm64: "arm" };

/** Whether a kernel runs an image's programs. Both as OCI names them. Pure. */
export function runsOn(kernel: string, image: string): boolean {
  return kernel === image || runsToo[kernel] === image;
}

/** Node's names of processors, where they differ. */
const nodesNames: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["ia32", "386"],
]);

/** What this machine is called by OCI. */
export function hostArchitecture(): string {
  return nodesNames.get(process.arch) ?? process.arch;
}

/** @throws BangerError KERNEL_MISMATCH where it does not. */
export function requireRunsOn(name: string, kernel: string, image: string): void {
  if (runsOn(kernel, image)) return;
  const what = name === "" ? "the kernel" : `kernel ${name}`;
  throw new BangerError("KERNEL_MISMATCH", `${what} is for ${kernel}, and the image is for ${image}`, {
    op: "choose kernel",
    facts: { kernel: name, kernelArchitecture: kernel, imageArchitecture: image },
  });
}
