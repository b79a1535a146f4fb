import { lstat, open, readFile, readdir, type FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { BangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { ReleaseSearch, isRelease } from "./kernel-head.ts";

const op = "read modules";

/** What is in a folder `lib/modules/<version>`. Paths are relative to it, folders before what is in them, sorted. */
export interface ModulesListing {
  readonly folders: readonly string[];
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
  readonly sizeBytes: number;
  /** Symbolic links and special files, which are never taken along: `build` and `source` lead out of the folder. */
  readonly leftOut: readonly string[];
}

/**
 * Lists a modules' folder. Follows no link.
 *
 * @throws BangerError KERNEL_INVALID where it is no such folder or too much, FILE_UNKNOWN where it is not there.
 */
export async function listModules(
  dir: string,
  limits: Pick<Limits, "kernelFiles" | "kernelBytes">,
  signal: AbortSignal,
): Promise<ModulesListing> {
  const folders: string[] = [];
  const files: { path: string; sizeBytes: number }[] = [];
  const leftOut: string[] = [];
  let sizeBytes = 0;
  const visit = async (folder: string): Promise<void> => {
    const entries = await readdir(join(dir, folder), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      signal.throwIfAborted();
      const path = join(folder, entry.name);
      // What Node makes of bytes that are no UTF-8; under that name there is no file.
      if (entry.name.includes("\ufffd")) throw notText(dir, path);
      if (files.length + folders.length >= limits.kernelFiles)
        throw tooMuch(dir, `${limits.kernelFiles} files`);
      if (entry.isDirectory()) {
        folders.push(path);
        await visit(path);
      } else if (entry.isFile()) {
        const { size } = await lstat(join(dir, path));
        sizeBytes += size;
        if (sizeBytes > limits.kernelBytes) throw tooMuch(dir, `${limits.kernelBytes} bytes`);
        files.push({ path, sizeBytes: size });
      } else leftOut.push(path);
    }
  };
  try {
    await visit("");
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT")
      throw new BangerError("FILE_UNKNOWN", `there is no folder ${dir}`, { op, cause: error });
    if (code === "ENOTDIR") throw notModules(dir);
    throw error;
  }
  const isModules = files.some(({ path }) => path === "modules.builtin" || isModule(path));
  if (!isModules || folders.some((path) => path === "lib")) throw notModules(dir);
  return { folders, files, sizeBytes, leftOut };
}

/**
 * What is to be said of what was left out, relative to the folder. `make modules_install` makes `build` and `source` lead
 * to where the kernel was built, which is nowhere here: those go without saying. Pure.
 */
export function leftOutWarnings(leftOut: readonly string[]): readonly string[] {
  const odd = leftOut.filter((path) => path !== "build" && path !== "source");
  if (odd.length === 0) return [];
  const some = odd.slice(0, 3).join(", ");
  return [`${odd.length} links and special files of the modules' folder are left out: ${some}`];
}

/** A kernel object, compressed or not (kmod's `KMOD_EXTENSION_…`). */
export function isModule(path: string): boolean {
  return /\.ko(?:\.(?:gz|xz|zst))?$/.test(path);
}

/** The most that one module is read of, and inflated to. Real ones have a few MB; with debug information, a hundred. */
const moduleBytes = 256 * 1024 * 1024;
/** Inflated and looked at in one go. */
const pieceBytes = 256 * 1024;

/**
 * The release that modules were built for: the first word of `vermagic`, which the kernel compares (kernel/module/main.c,
 * `check_modinfo`). Where it can't be read, as from xz, or is no release, what the folder is called; undefined where that
 * is none either.
 */
export async function modulesRelease(dir: string, listing: ModulesListing): Promise<string | undefined> {
  const readable = listing.files.find(
    ({ path, sizeBytes }) => sizeBytes <= moduleBytes && /\.ko(?:\.(?:gz|zst))?$/.test(path),
  );
  const release = readable === undefined ? undefined : await releaseOf(join(dir, readable.path));
  if (release !== undefined) return release;
  const name = basename(dir);
  return isRelease(name) ? name : undefined;
}

/** No more of it is read, and inflated, than it takes to find out. */
async function releaseOf(path: string): Promise<string | undefined> {
  const search = new ReleaseSearch(Buffer.from("vermagic="));
  let bytes = 0;
  try {
    await using file = await open(path);
    for await (const piece of inflated(file, path)) {
      const release = search.take(piece);
      bytes += piece.length;
      if (release !== undefined || bytes > moduleBytes) return release;
    }
  } catch {
    // A damaged module says nothing of its release; whoever copies it, and depmod, say what is wrong with it.
  }
  return undefined;
}

function inflated(file: FileHandle, path: string): AsyncIterable<Buffer> {
  const stream = file.createReadStream({ autoClose: false, highWaterMark: pieceBytes });
  // What goes wrong is thrown by the last stream.
  const through = (inflater: Gunzip | ZstdDecompress) => pipeline(stream, inflater, () => {});
  if (path.endsWith(".gz")) return through(createGunzip({ chunkSize: pieceBytes }));
  if (path.endsWith(".zst")) return through(createZstdDecompress({ chunkSize: pieceBytes }));
  return stream;
}

/** Bytes of a `modules.builtin` that is read. Debian's has 10 KB. */
const builtinBytes = 4 * 1024 * 1024;

/** Drivers that decide how a machine's disk and network are shown to a kernel without an initrd. */
export const bootDrivers = ["ext4", "nvme", "virtio_blk", "virtio_mmio", "virtio_net", "virtio_pci"] as const;

export type BootDriver = (typeof bootDrivers)[number];

/** Of those, the ones in the kernel itself; undefined where no `modules.builtin` tells (Documentation/kbuild/kbuild.rst). */
export async function builtinDrivers(
  dir: string,
  listing: ModulesListing,
): Promise<readonly BootDriver[] | undefined> {
  const file = listing.files.find(({ path }) => path === "modules.builtin");
  if (file === undefined || file.sizeBytes > builtinBytes) return undefined;
  return parseBuiltin(await readFile(join(dir, "modules.builtin"), "utf8"));
}

/** Pure. File names have dashes where modules have underscores, or not: kmod takes both for one. */
export function parseBuiltin(text: string): readonly BootDriver[] {
  const names = new Set(text.split("\n").map((line) => basename(line.trim(), ".ko").replaceAll("-", "_")));
  return bootDrivers.filter((driver) => names.has(driver));
}

function notModules(dir: string): BangerError {
  return new BangerError(
    "KERNEL_INVALID",
    `${dir} is no folder of modules: neither modules.builtin nor a module is in it`,
    {
      op,
      hint: "Give the folder lib/modules/VERSION itself, with kernel/ and modules.builtin in it.",
      facts: { path: dir },
    },
  );
}

function notText(dir: string, path: string): BangerError {
  return new BangerError("KERNEL_INVALID", `${dir} has a name in it that is not UTF-8: ${path}`, {
    op,
    hint: "Rename it, or leave it out: no module is called so.",
    facts: { path: dir },
  });
}

function tooMuch(dir: string, bound: string): BangerError {
  return new BangerError("KERNEL_INVALID", `${dir} holds more than ${bound}`, {
    op,
    hint: "Leave out what is no module, or raise kernel_files and kernel_bytes under [limits] in the config.",
    facts: { path: dir },
  });
}
