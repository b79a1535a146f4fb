import { assembleKernel, type KernelFilePaths } from "./assemble.ts";
import { requireRunsOn } from "./architecture.ts";
import { BangerError } from "../base/error.ts";
import { identifyKernel } from "./identify.ts";
import type { KernelFacts, KernelRecord } from "./kernel-record.ts";
import type { FetchOptions, KernelStore } from "./kernel-store.ts";
import type { Limits } from "../base/limits.ts";
import { kernelPathsIn, type KernelPaths } from "./layout.ts";

/** What a request says of its kernel, parsed: files of this machine, or what `parseKernelRef` takes. */
export type KernelSelection =
  | { readonly kind: "ref"; readonly ref: string }
  | { readonly kind: "files"; readonly files: KernelFilePaths };

/** A kernel, its initrd and its modules, checked and at hand. Whoever asked for them disposes of them. */
export interface KernelInputs extends AsyncDisposable {
  /** Empty where files were given. */
  readonly name: string;
  /** Of the store's kernel; undefined where files were given. */
  readonly id: string | undefined;
  readonly facts: KernelFacts;
  /** Read-only files, which nobody writes to: they may be shared as inodes. */
  readonly paths: KernelPaths;
}

export interface ResolveOptions extends FetchOptions {
  /** Of the image, as OCI names it. */
  readonly architecture: string;
  /** Told before anything is brought in that is not here. */
  readonly onFetch: () => void;
  readonly limits: Limits;
}

/**
 * The kernel that an image is to be staged with: files that were given, else a kernel that is here, else one that a
 * catalog or the source itself has, which is brought in first.
 *
 * @throws BangerError KERNEL_UNKNOWN, KERNEL_MISMATCH, KERNEL_AMBIGUOUS, KERNEL_INVALID, FILE_UNKNOWN, those of the
 *   kernel's source, DISK_FULL, CANCELLED.
 */
export async function resolveKernelInputs(
  store: KernelStore,
  selection: KernelSelection,
  options: ResolveOptions,
): Promise<KernelInputs> {
  return selection.kind === "files"
    ? resolveFiles(store, selection.files, options)
    : resolveRef(store, selection.ref, options);
}

/**
 * What is known of that kernel with nothing brought in and nothing written; undefined where that takes bringing it in.
 *
 * @throws BangerError KERNEL_UNKNOWN, KERNEL_MISMATCH, KERNEL_AMBIGUOUS.
 */
export async function foreseeKernel(
  store: KernelStore,
  selection: KernelSelection,
  { architecture, signal }: Pick<ResolveOptions, "architecture" | "signal">,
): Promise<{ readonly name: string; readonly facts: KernelFacts } | undefined> {
  if (selection.kind === "files") return undefined;
  const here = await store.find(selection.ref);
  if (here === undefined) {
    await store.choose(selection.ref, architecture, signal);
    return undefined;
  }
  requireRunsOn(here.name, here.architecture, architecture);
  return { name: here.name, facts: here };
}

async function resolveRef(store: KernelStore, ref: string, options: ResolveOptions): Promise<KernelInputs> {
  const { architecture, signal, onFetch } = options;
  let kernel = await store.find(ref);
  if (kernel === undefined) {
    const wanted = await store.choose(ref, architecture, signal);
    onFetch();
    kernel = await store.fetch(wanted, { ...options, neededFor: architecture });
  }
  requireRunsOn(kernel.name, kernel.architecture, architecture);
  await using owned = new AsyncDisposableStack();
  owned.use(store.hold(kernel));
  const paths = kernelPathsIn(store.dirOf(kernel));
  await requireUnchanged(kernel, paths, signal);
  const held = owned.move();
  return {
    name: kernel.name,
    id: kernel.id,
    facts: kernel,
    paths,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Its file is perhaps the same inode as that beside an image, which somebody may have written to all the same. */
async function requireUnchanged(
  kernel: KernelRecord,
  paths: KernelPaths,
  signal: AbortSignal,
): Promise<void> {
  const { digest } = await identifyKernel(paths.kernel, signal);
  if (digest === kernel.digest) return;
  throw new BangerError(
    "DIGEST_MISMATCH",
    `kernel ${kernel.name} is no longer what was brought in: ${paths.kernel} has another digest`,
    {
      op: "check kernel",
      hint: `Remove it, with \`banger kernel rm --force ${kernel.name}\`, and bring it in again.`,
      facts: { kernel: kernel.name, expected: kernel.digest, found: digest },
    },
  );
}

/** Copied before they are looked at: what was checked is what is staged, whatever becomes of the originals. */
async function resolveFiles(
  store: KernelStore,
  files: KernelFilePaths,
  { architecture, limits, signal }: ResolveOptions,
): Promise<KernelInputs> {
  await using staging = new AsyncDisposableStack();
  const folder = staging.use(await store.stage());
  const facts = await assembleKernel(files, folder.dir, { own: false, limits, signal });
  requireRunsOn("", facts.architecture, architecture);
  const owned = staging.move();
  return {
    name: "",
    id: undefined,
    facts,
    paths: kernelPathsIn(folder.dir),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
