import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { KernelStore } from "../../src/kernel/kernel-store.ts";
import type { CatalogEntry, KernelCatalog, KernelProgress } from "../../src/kernel/kernel-source.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { bzImage, moduleOf } from "./sample-kernels.ts";

export const release = "6.1.0-42-cloud-amd64";

export interface StoreRig extends AsyncDisposable {
  readonly stateDir: string;
  readonly store: Store;
  readonly kernels: KernelStore;
  /** A folder of files of the caller's, with a kernel, an initrd and modules. */
  readonly files: {
    readonly kernelPath: string;
    readonly initrdPath: string;
    readonly modulesPath: string;
  };
  /** A store of kernels with a catalog that does as the script says. */
  withCatalog(script: CatalogScript): KernelStore;
}

export interface CatalogScript {
  readonly entries: readonly CatalogEntry[];
  readonly warnings?: readonly string[];
  /** Brings the files; the default is a good kernel. */
  readonly fetch?: (
    folder: string,
    signal: AbortSignal,
    onProgress: (p: KernelProgress) => void,
  ) => Promise<void>;
}

export function entryOf(name: string, changes: Partial<CatalogEntry> = {}): CatalogEntry {
  const source = { kind: "artifact", reference: `registry.example/${name}:1` } as const;
  return { catalog: "main", name, version: "6.1.0", architecture: "amd64", source, ...changes };
}

/** Modules as a distribution has them, for whatever release. */
export async function writeModules(folder: string, of: string = release): Promise<void> {
  await mkdir(join(folder, "kernel", "fs"), { recursive: true });
  await writeFile(join(folder, "kernel", "fs", "some.ko"), moduleOf(of));
  await writeFile(
    join(folder, "modules.builtin"),
    "kernel/fs/ext4/ext4.ko\nkernel/drivers/nvme/host/nvme.ko\n",
  );
  await writeFile(join(folder, "modules.order"), "kernel/fs/some.ko\n");
}

export async function writeKernel(folder: string): Promise<void> {
  await writeFile(join(folder, "kernel"), bzImage(release));
}

export async function makeStoreRig(): Promise<StoreRig> {
  await using making = new AsyncDisposableStack();
  const folder = making.use(await makeTempDir("banger-kernels-"));
  const stateDir = join(folder.path, "state");
  const source = join(folder.path, "source");
  const modulesPath = join(source, "lib", "modules", release);
  await mkdir(stateDir);
  await mkdir(modulesPath, { recursive: true });
  await writeKernel(source);
  await writeFile(join(source, "initrd"), "an initrd");
  await writeModules(modulesPath);
  const store = making.use(await openStore(join(stateDir, "banger.db")));
  const withCatalog = (script: CatalogScript) =>
    new KernelStore({
      readerGid: undefined,
      stateDir,
      rows: store,
      limits: defaultLimits,
      catalog: scripted(script),
    });
  const owned = making.move();
  return {
    stateDir,
    store,
    kernels: withCatalog({ entries: [] }),
    files: { kernelPath: join(source, "kernel"), initrdPath: join(source, "initrd"), modulesPath },
    withCatalog,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function scripted(script: CatalogScript): KernelCatalog {
  return {
    list: async () => ({ entries: script.entries, warnings: script.warnings ?? [] }),
    fetch: async (entry, { folder, signal, onProgress }) => {
      await (script.fetch ?? writeKernel)(folder, signal, onProgress);
      const kernelPath = join(folder, "kernel");
      return { kernelPath, initrdPath: undefined, modulesPath: undefined, source: entry.name, warnings: [] };
    },
  };
}
