import { constants } from "node:fs";
import { chmod, copyFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../../base/digest.ts";
import type { CleanPath } from "../../layers/entry-path.ts";
import type { InflateJob } from "../archive/inflate.ts";
import { unpackOrInflate, unpackTars } from "../archive/unpack.ts";
import { chooseFiles, isWanted, type KernelFiles } from "../kernel-files.ts";
import type { FetchedKernel, KernelFileNames } from "../kernel-source.ts";
import { fileOf, modulesOf, noModules, type FetchedModules, type KernelTree } from "./kernel-tree.ts";

/** What a bundle is unpacked from, and to. */
export interface BundleJob {
  readonly folder: string;
  readonly files: KernelFileNames;
  /** Of the whole source; its path is each blob's own. */
  readonly inflate: Omit<InflateJob, "path" | "digest">;
}

/** A verified file. */
export type BundleBlob = Pick<InflateJob, "path" | "digest">;

/**
 * The kernel in one file: a kernel alone, inflated where it is compressed, or a tar archive of its parts.
 *
 * @throws BangerError KERNEL_SOURCE_INVALID, LIMIT_*
 */
export async function openBundle(blob: BundleBlob, job: BundleJob): Promise<FetchedKernel> {
  const opened = await unpackOrInflate({ ...job.inflate, ...blob }, job.folder, wanted(job));
  if (opened.kind === "tar") {
    return await kernelOf({ folder: join(job.folder, "tree"), unpacked: opened.unpacked }, blob, job);
  }
  return {
    kernelPath: opened.path,
    initrdPath: undefined,
    ...noModules,
    source: job.inflate.subject,
  };
}

/** The same for several tar archives that make up one tree, as the layers of an image. */
export async function openLayers(
  blobs: readonly [BundleBlob, ...BundleBlob[]],
  job: BundleJob,
): Promise<FetchedKernel> {
  const [first, ...rest] = blobs;
  const folder = join(job.folder, "tree");
  const inflateJob = (blob: BundleBlob): InflateJob => ({ ...job.inflate, ...blob });
  const unpacked = await unpackTars([inflateJob(first), ...rest.map(inflateJob)], folder, wanted(job));
  return await kernelOf({ folder, unpacked }, first, job);
}

/** Unpacks a tar archive of modules into the folder. */
export async function openModules(blob: BundleBlob, job: BundleJob, kernel: string): Promise<FetchedModules> {
  const folder = join(job.folder, "modules");
  const unpacked = await unpackTars([{ ...job.inflate, ...blob }], folder, () => true);
  return modulesOf({ folder, unpacked }, "", { kernel }, job.inflate.subject);
}

/** Puts a file of the cache into the folder under that name: shared where the file system can, copied elsewhere. */
export async function placeFile(path: string, folder: string, name: string): Promise<string> {
  const target = join(folder, name);
  await copyFile(path, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  // The cache's files are read-only.
  await chmod(target, 0o644);
  return target;
}

function wanted({ files }: BundleJob): (path: CleanPath) => boolean {
  return (path) => isWanted(path, files);
}

async function kernelOf(tree: KernelTree, { digest }: BundleBlob, job: BundleJob): Promise<FetchedKernel> {
  const { subject } = job.inflate;
  const { made, seen } = tree.unpacked;
  const files = chooseFiles([...made.keys()], job.files, subject, seen);
  return {
    kernelPath: fileOf(tree, files.kernel, subject),
    initrdPath: files.initrd === undefined ? undefined : fileOf(tree, files.initrd, subject),
    ...(await modulesIn(tree, files, digest, job)),
    source: subject,
  };
}

/** A folder, or an archive in the archive. */
async function modulesIn(
  tree: KernelTree,
  { kernel, modules }: KernelFiles,
  digest: Digest,
  job: BundleJob,
): Promise<FetchedModules> {
  if (modules === undefined) return noModules;
  const { subject } = job.inflate;
  const isFolder = [...tree.unpacked.made].some(
    ([path, { kind }]) => path === modules && kind === "directory",
  );
  if (isFolder) return modulesOf(tree, modules, { kernel }, subject);
  const path = join(job.folder, "modules.tar");
  await rename(fileOf(tree, modules, subject), path);
  const fetched = await openModules({ path, digest }, job, kernel);
  await rm(path);
  return fetched;
}
