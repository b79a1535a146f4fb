import { join } from "node:path";
import { sliceBytes } from "../../base/bytes.ts";
import { shownName, sourceFault } from "../archive/archive-fault.ts";
import type { UnpackFolder } from "../archive/unpack-folder.ts";
import type { KernelFiles } from "../kernel-files.ts";
import { modulesRoot, versionInName } from "../kernel-files.ts";
import type { FetchedKernel } from "../kernel-source.ts";
import { leftOutWarnings } from "../modules.ts";

/** Unpacked archives, and the folder they are in. */
export interface KernelTree {
  readonly folder: string;
  readonly unpacked: UnpackFolder;
}

/** The host's path of a file of the tree. @throws BangerError KERNEL_SOURCE_INVALID where it is none */
export function fileOf({ folder, unpacked }: KernelTree, name: string, subject: string): string {
  const found = [...unpacked.made].find(([path]) => path === name)?.[1];
  // Names are bytes; a path of the host's that is made of them has to be text.
  if (found?.kind === "file" && /^[\x20-\x7e]+$/.test(name)) return join(folder, name);
  const what = found?.kind === "symlink" ? "a link" : "no file";
  throw sourceFault(
    subject,
    `has ${JSON.stringify(name)}, which is ${what}`,
    "Name the file itself under `files`.",
  );
}

/** The folder that is itself `lib/modules/<version>`, and what is to be said of it. */
export type FetchedModules = Pick<FetchedKernel, "modulesPath" | "warnings">;

export const noModules: FetchedModules = { modulesPath: undefined, warnings: [] };

/**
 * That folder of the tree. Links in it are left out, as those of a folder that is imported.
 *
 * @param below where in the tree to look for it; empty for all of it
 * @throws BangerError KERNEL_SOURCE_INVALID where there is none
 */
export function modulesOf(
  { folder, unpacked }: KernelTree,
  below: string,
  files: Pick<KernelFiles, "kernel">,
  subject: string,
): FetchedModules {
  const root = modulesRoot([...unpacked.made.keys()], below, versionInName(files.kernel), subject);
  const inside = root === "" ? "" : `${root}/`;
  const links = [...unpacked.made].flatMap(([path, { kind }]) =>
    kind === "symlink" && path.startsWith(inside) ? [shownName(sliceBytes(path, inside.length))] : [],
  );
  return { modulesPath: join(folder, root), warnings: leftOutWarnings(links) };
}
