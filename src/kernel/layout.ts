import { randomBytes } from "node:crypto";
import { join } from "node:path";

/** Where a kernel's files are, in the store and beside an image alike. Pure: nothing here looks at a disk. */
export interface KernelPaths {
  readonly dir: string;
  readonly kernel: string;
  readonly initrd: string;
  /** What is `lib/modules/<version>` in a guest. */
  readonly modules: string;
}

export const kernelFile = "kernel";
export const initrdFile = "initrd";
export const modulesFolder = "modules";
/** All that a kernel may be made of. */
export const kernelNames: readonly string[] = [kernelFile, initrdFile, modulesFolder];

export const kernelDocument = "kernel.json";

export function kernelsDir(stateDir: string): string {
  return join(stateDir, "kernels");
}

/** @param name one that `parseKernelRef` took for a name, and so never begins with a dot */
export function kernelDir(stateDir: string, name: string): string {
  return join(kernelsDir(stateDir), name);
}

export function kernelPathsIn(dir: string): KernelPaths {
  return {
    dir,
    kernel: join(dir, kernelFile),
    initrd: join(dir, initrdFile),
    modules: join(dir, modulesFolder),
  };
}

/** What is being made or removed: no kernel's name begins with a dot. Swept at the next start. */
export function unfinishedDir(stateDir: string, kind: "staging" | "removing"): string {
  return join(kernelsDir(stateDir), `.${kind}-${randomBytes(8).toString("hex")}`);
}

export function isUnfinished(folderName: string): boolean {
  return /^\.(?:staging|removing)-[0-9a-f]{16}$/.test(folderName);
}
