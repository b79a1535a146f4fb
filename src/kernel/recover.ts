import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { asBangerError, errnoOf } from "../base/error.ts";
import { makeDir, removeTree } from "../base/files.ts";
import { removePublished } from "../base/published-folder.ts";
import {
  isUnfinished,
  kernelDir,
  kernelDocument,
  kernelPathsIn,
  kernelsDir,
  unfinishedDir,
} from "./layout.ts";
import { kernelNamePattern } from "./kernel-ref.ts";

export interface RecoverableKernels {
  allKernels(): Promise<readonly { readonly id: string; readonly name: string }[]>;
  deleteKernel(id: string, force: boolean): Promise<void>;
}

/** What was put right, for the log. All empty after a clean stop. */
export interface KernelRecovery {
  /** Folders of fetches and removals that were cut off. */
  readonly sweptFolders: readonly string[];
  /** Kernels that were published, but whose row never came. */
  readonly orphanFolders: readonly string[];
  /** Rows whose files are gone. */
  readonly lostKernels: readonly string[];
  /** Names that are not ours; left alone. */
  readonly unknownNames: readonly string[];
}

/**
 * Brings the folders and rows of kernels together after a kill at any moment. Idempotent, and may itself be killed.
 * Called at the start, under the state folder's lock. Images have their own files: none depends on what goes here.
 */
export async function recoverKernels(rows: RecoverableKernels, stateDir: string): Promise<KernelRecovery> {
  try {
    await makeDir(kernelsDir(stateDir));
    const known = await rows.allKernels();
    const names = new Set(known.map(({ name }) => name));
    const sweptFolders: string[] = [];
    const orphanFolders: string[] = [];
    const unknownNames: string[] = [];
    for (const entry of await readdir(kernelsDir(stateDir), { withFileTypes: true })) {
      const { name } = entry;
      if (entry.isDirectory() && isUnfinished(name)) {
        await removeTree(join(kernelsDir(stateDir), name));
        sweptFolders.push(name);
      } else if (!entry.isDirectory() || !kernelNamePattern.test(name)) {
        unknownNames.push(name);
      } else if (names.has(name)) {
        continue;
      } else if (!(await isFile(documentOf(stateDir, name)))) {
        unknownNames.push(name);
      } else {
        await removePublished(kernelDir(stateDir, name), unfinishedDir(stateDir, "removing"));
        orphanFolders.push(name);
      }
    }
    const lostKernels: string[] = [];
    for (const { id, name } of known) {
      if (await isFile(kernelPathsIn(kernelDir(stateDir, name)).kernel)) continue;
      await rows.deleteKernel(id, true);
      await removePublished(kernelDir(stateDir, name), unfinishedDir(stateDir, "removing"));
      lostKernels.push(name);
    }
    return { sweptFolders, orphanFolders, lostKernels, unknownNames };
  } catch (error) {
    throw asBangerError(error, "recover kernels");
  }
}

/** Of a kernel of ours, which has it before it has its name: a folder without is somebody else's, whatever it is called. */
function documentOf(stateDir: string, name: string): string {
  return join(kernelDir(stateDir, name), kernelDocument);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false;
    throw error;
  }
}
