import type { KernelCatalog } from "../kernel/kernel-source.ts";
import { KernelStore } from "../kernel/kernel-store.ts";
import { recoverKernels } from "../kernel/recover.ts";
import type { Store } from "../store/store.ts";
import type { DaemonConfig } from "./config.ts";
import type { DaemonLogs } from "./log.ts";

/** The kernels of a daemon, and where more come from. */
export interface KernelParts {
  readonly kernels: KernelStore;
  readonly catalog: KernelCatalog;
}

/** Opens the kernels of the state folder, once what a kill left of them is put right. */
export async function openKernels(
  { paths: { stateDir }, limits }: DaemonConfig,
  store: Store,
  catalog: KernelCatalog,
  { log, recovery }: DaemonLogs,
  readerGid: number | undefined,
): Promise<KernelParts> {
  const { sweptFolders, orphanFolders, lostKernels, unknownNames } = await recoverKernels(store, stateDir);
  if (sweptFolders.length > 0)
    recovery.info("removed what was cut off of kernels", { folders: sweptFolders });
  if (orphanFolders.length > 0)
    recovery.warn("removed kernels that the store does not know", { folders: orphanFolders });
  if (lostKernels.length > 0) recovery.warn("forgot kernels whose files are gone", { kernels: lostKernels });
  if (unknownNames.length > 0) log.warn("left alone what is no kernel of ours", { names: unknownNames });
  return { kernels: new KernelStore({ stateDir, rows: store, catalog, limits, readerGid }), catalog };
}
