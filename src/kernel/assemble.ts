import { chmod, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { digestOfFile } from "../base/digest-of-file.ts";
import { Digester } from "../base/digest.ts";
import { requireSpace } from "../base/disk.ts";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { shareFile } from "../base/share-file.ts";
import { indexModules } from "./depmod.ts";
import { identifyKernel } from "./identify.ts";
import { tooLargeHint } from "./kernel-errors.ts";
import type { KernelFacts, KernelModules } from "./kernel-record.ts";
import { kernelPathsIn } from "./layout.ts";
import {
  builtinDrivers,
  isModule,
  leftOutWarnings,
  listModules,
  modulesRelease,
  type BootDriver,
} from "./modules.ts";

/** Files that make a kernel, wherever they are. */
export interface KernelFilePaths {
  readonly kernelPath: string;
  readonly initrdPath: string | undefined;
  /** A folder that is itself `lib/modules/<version>`. */
  readonly modulesPath: string | undefined;
}

export interface AssembleOptions {
  /** Whether the files are the caller's own, which nobody writes to: they may then be shared as inodes. */
  readonly own: boolean;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

const op = "check kernel";

/**
 * Brings a kernel's files together in `dir`, the caller's, under the names of `layout.ts`, read-only, and checks them.
 * What is checked is the copy, so that nobody changes it afterwards.
 *
 * @throws BangerError KERNEL_INVALID, FILE_UNKNOWN, DISK_FULL, CANCELLED, or of the file system.
 */
export async function assembleKernel(
  files: KernelFilePaths,
  dir: string,
  options: AssembleOptions,
): Promise<KernelFacts> {
  try {
    return await assemble(files, dir, options);
  } catch (error) {
    throw asBangerError(error, op);
  }
}

async function assemble(files: KernelFilePaths, dir: string, options: AssembleOptions): Promise<KernelFacts> {
  const { limits, signal, own } = options;
  const { kernelPath, initrdPath, modulesPath } = files;
  const paths = kernelPathsIn(dir);
  const listing = modulesPath === undefined ? undefined : await listModules(modulesPath, limits, signal);
  const kernelBytes = await fileBytes(kernelPath);
  const initrdBytes = initrdPath === undefined ? 0 : await fileBytes(initrdPath);
  const totalBytes = kernelBytes + initrdBytes + (listing?.sizeBytes ?? 0);
  if (totalBytes > limits.kernelBytes) throw tooLarge(kernelPath, limits.kernelBytes);
  if (!own) await requireSpace([{ path: dir, bytes: totalBytes, option: "--state-dir" }], op);

  await bring(kernelPath, paths.kernel, own);
  const identity = await identifyKernel(paths.kernel, signal, kernelPath);
  if (initrdPath !== undefined) await bring(initrdPath, paths.initrd, own);
  const warnings: string[] = [];
  const content = new Digester();
  const add = (line: string): void => content.update(Buffer.from(`${line}\n`));
  add(`kernel ${identity.digest}`);
  if (initrdPath !== undefined) add(`initrd ${await digestOfFile(paths.initrd, "sha256", signal)}`);

  let modules: KernelModules | undefined;
  let builtins: readonly BootDriver[] | undefined;
  if (modulesPath !== undefined && listing !== undefined) {
    const found = await modulesRelease(modulesPath, listing);
    builtins = await builtinDrivers(modulesPath, listing);
    await mkdir(paths.modules, { mode: 0o755 });
    for (const folder of listing.folders) await mkdir(join(paths.modules, folder), { mode: 0o755 });
    for (const { path } of listing.files) {
      signal.throwIfAborted();
      await bring(join(modulesPath, path), join(paths.modules, path), own);
    }
    const release = found ?? identity.version;
    const indexed = await index(dir, release, listing.files, signal);
    warnings.push(...modulesWarnings({ release, indexed }, identity.version, listing.leftOut));
    modules = { release, indexed };
    const final = await listModules(paths.modules, limits, signal);
    for (const { path } of final.files) {
      await chmod(join(paths.modules, path), 0o444);
      const digest = await digestOfFile(join(paths.modules, path), "sha256", signal);
      add(`module ${JSON.stringify(path)} ${digest}`);
    }
  }
  const contentDigest = content.digest();
  const hasInitrd = initrdPath !== undefined;
  return { ...identity, hasInitrd, modules, builtins, contentDigest, warnings };
}

/** Where kmod isn't, what came with the modules counts. */
async function index(
  dir: string,
  release: string,
  files: readonly { readonly path: string }[],
  signal: AbortSignal,
): Promise<boolean> {
  if (!files.some(({ path }) => isModule(path))) return true;
  return (await indexModules(dir, release, signal)) || files.some(({ path }) => path === "modules.dep");
}

/** Pure. */
function modulesWarnings(
  modules: KernelModules,
  version: string,
  leftOut: readonly string[],
): readonly string[] {
  return [
    ...(modules.release === version
      ? []
      : [
          `the modules are of Linux ${modules.release}, and the kernel is ${version}: it will load none of them`,
        ]),
    ...(modules.indexed
      ? []
      : ["the modules have no modules.dep: install kmod, and bring the kernel in again"]),
    ...leftOutWarnings(leftOut),
  ];
}

async function bring(from: string, to: string, own: boolean): Promise<void> {
  await shareFile(from, to, own);
  // Images share its bytes, perhaps as one inode: nobody is to write to it in place.
  await chmod(to, 0o444);
}

async function fileBytes(path: string): Promise<number> {
  try {
    const stats = await stat(path);
    if (stats.isFile()) return stats.size;
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
    throw new BangerError("FILE_UNKNOWN", `there is no file ${path}`, {
      op,
      cause: error,
      hint: "Check the path: it is one of the machine that bangerd runs on.",
      facts: { path },
    });
  }
  throw new BangerError("KERNEL_INVALID", `${path} is no regular file`, { op, facts: { path } });
}

function tooLarge(path: string, limit: number): BangerError {
  return new BangerError(
    "KERNEL_INVALID",
    `${path}, with its initrd and modules, is larger than ${limit} bytes`,
    {
      op,
      hint: tooLargeHint,
      facts: { path },
    },
  );
}
