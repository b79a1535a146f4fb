/** Names of the files inside of an archive or artifact, where they aren't the usual ones; see `kernel-files.ts`. */
export interface KernelFileNames {
  readonly kernel?: string;
  readonly initrd?: string;
  /** A folder, or a tar archive of one. */
  readonly modules?: string;
}

/** Where a kernel is fetched from. `sha256` is 64 hex digits, `size` the bytes of the file where they are known. */
export type KernelSource =
  /** As `openSource` takes it: an artifact in a registry, or `oci:DIR`. */
  | { readonly kind: "artifact"; readonly reference: string; readonly files?: KernelFileNames }
  /** A kernel alone, or a tar archive. */
  | {
      readonly kind: "url";
      readonly url: string;
      readonly sha256: string;
      readonly size?: number;
      readonly files?: KernelFileNames;
    }
  /** A Debian package: an absolute path, or a URL, which always comes with a sha256. */
  | {
      readonly kind: "deb";
      readonly location: string;
      readonly sha256: string | undefined;
      readonly size?: number;
    };

/** Files of a kernel, brought into a folder of the caller's. */
export interface FetchedKernel {
  readonly kernelPath: string;
  readonly initrdPath: string | undefined;
  /** A folder that is itself `lib/modules/<version>`: `kernel/`, `modules.builtin` and the rest are in it. */
  readonly modulesPath: string | undefined;
  /** Where from, as a person would write it. */
  readonly source: string;
  readonly warnings: readonly string[];
}

export interface KernelProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface CatalogEntry {
  readonly catalog: string;
  readonly name: string;
  readonly version: string;
  /** As OCI names it: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly source: KernelSource;
}

/** What all catalogs offer. */
export interface CatalogList {
  readonly entries: readonly CatalogEntry[];
  /** As of a catalog that could not be reached, and how old the copy is that was used. */
  readonly warnings: readonly string[];
  /** Those of the warnings that tell of a catalog which could not be asked, and of which there is no copy. */
  readonly unavailable?: readonly string[];
}

export interface KernelCatalog {
  /** @throws BangerError CANCELLED */
  list(signal: AbortSignal): Promise<CatalogList>;
  /**
   * Brings the entry's files, verified, into `folder`, which exists, is empty and the caller's, and is on the
   * store's file system.
   */
  fetch(
    entry: CatalogEntry,
    options: {
      readonly folder: string;
      readonly signal: AbortSignal;
      readonly onProgress: (progress: KernelProgress) => void;
    },
  ): Promise<FetchedKernel>;
}
