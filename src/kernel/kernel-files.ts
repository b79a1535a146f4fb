import { listed, sourceFault } from "./archive/archive-fault.ts";
import { isRelease } from "./kernel-head.ts";
import type { KernelFileNames } from "./kernel-source.ts";

/** Names of a kernel's parts among the files of an archive or artifact. */
export interface KernelFiles {
  readonly kernel: string;
  readonly initrd: string | undefined;
  /** A folder, or a file that is a tar archive of one. */
  readonly modules: string | undefined;
}

/** The usual names, the best first. Several files may match a pattern: then it is not for us to choose. */
const usual = {
  kernel: [
    /^kernel$/,
    /^(?:vmlinuz|vmlinux|bzImage|Image)$/,
    /^(?:boot\/)?vmlinu[xz]-[^/]+$/,
    /^(?:usr\/)?lib\/modules\/[^/]+\/vmlinuz$/,
  ],
  initrd: [/^initrd$/, /^(?:initrd|initramfs)\.img$|^initramfs$/, /^(?:boot\/)?init(?:rd|ramfs)[^/]*$/],
  modules: [/^modules$/, /^modules\.(?:tar|tgz|tar\.gz|tar\.zst|tar\.xz)$/, /^(?:usr\/)?lib\/modules$/],
} as const;

/** Whether a file can be the kernel, by its name. */
export function isKernel(path: string, { kernel }: KernelFileNames): boolean {
  return kernel === undefined ? usual.kernel.some((pattern) => pattern.test(path)) : path === kernel;
}

/** Whether an archive's entry can be one of a kernel's, or lies below its modules. */
export function isWanted(path: string, names: KernelFileNames): boolean {
  const named = [names.kernel, names.initrd, names.modules].filter((name) => name !== undefined);
  if (named.some((name) => path === name || path.startsWith(`${name}/`))) return true;
  if (/^(?:modules|(?:usr\/)?lib\/modules)\//.test(path)) return names.modules === undefined;
  return (["kernel", "initrd", "modules"] as const).some(
    (part) => names[part] === undefined && usual[part].some((pattern) => pattern.test(path)),
  );
}

/** The same for a Debian package, of which nothing else is taken: not even a folder. */
export function isWantedOfPackage(path: string): boolean {
  return /^boot\/vmlinu[xz]-[^/]+$/.test(path) || /^(?:usr\/)?lib\/modules\/[^/]+(?:\/|$)/.test(path);
}

/**
 * Tells a kernel's parts by their names.
 *
 * @param paths all files and folders there are
 * @param seen what to say that there is, where something is missing
 * @param hintWithout what to do about one without a kernel
 * @throws BangerError KERNEL_SOURCE_INVALID where a name that was given is not there, or several files fit
 */
export function chooseFiles(
  paths: readonly string[],
  names: KernelFileNames,
  subject: string,
  seen: readonly string[] = paths,
  hintWithout = "Name it `kernel`, or name the file that it is under `files` in a catalog.",
): KernelFiles {
  const there = new Set(paths);
  const choose = (part: keyof typeof usual): string | undefined => {
    const name = names[part];
    if (name !== undefined) {
      if (there.has(name)) return name;
      const missing = `has no ${JSON.stringify(name)}, which should be its ${part}; it has ${listed(seen)}`;
      throw sourceFault(subject, missing, "Correct the name under `files` in the catalog.");
    }
    for (const pattern of usual[part]) {
      const found = paths.filter((path) => pattern.test(path));
      if (found.length > 1) {
        throw sourceFault(
          subject,
          `has several files that can be its ${part}: ${listed(found)}`,
          `Name the one that is meant under \`files\` in a catalog.`,
        );
      }
      if (found[0] !== undefined) return found[0];
    }
    return undefined;
  };
  const kernel = choose("kernel");
  if (kernel === undefined) {
    const missing = `has no kernel; it has ${listed(seen)}`;
    throw sourceFault(subject, missing, hintWithout);
  }
  return { kernel, initrd: choose("initrd"), modules: choose("modules") };
}

/** `6.1.0-42-cloud-amd64` of `boot/vmlinuz-6.1.0-42-cloud-amd64`, where the name has a version. */
export function versionInName(kernel: string): string | undefined {
  return /(?:^|\/)vmlinu[xz]-([^/]+)$/.exec(kernel)?.[1] ?? /\/modules\/([^/]+)\/vmlinuz$/.exec(kernel)?.[1];
}

/**
 * The folder that is itself `lib/modules/<version>`, at or below `folder`.
 *
 * @param paths all files and folders there are
 * @param version the one to take where there are several
 * @throws BangerError KERNEL_SOURCE_INVALID where there is none, or several and none of that version
 */
export function modulesRoot(
  paths: readonly string[],
  folder: string,
  version: string | undefined,
  subject: string,
): string {
  const below = folder === "" ? "" : `${folder}/`;
  const children = new Set(
    paths.flatMap((path) =>
      path.startsWith(below) ? [path.slice(below.length).split("/", 1)[0] ?? ""] : [],
    ),
  );
  children.delete("");
  if (children.has("kernel") || [...children].some((name) => /^modules\.[a-z]/.test(name) && !isTar(name))) {
    return folder;
  }
  for (const inner of ["lib/modules", "usr/lib/modules", "modules"]) {
    if (paths.some((path) => path.startsWith(`${below}${inner}/`))) {
      return modulesRoot(paths, below + inner, version, subject);
    }
  }
  const releases = [...children].filter(isRelease);
  const found = releases.length === 1 ? releases[0] : releases.find((name) => name === version);
  if (found !== undefined) return below + found;
  const what = releases.length === 0 ? listed([...children]) : `those of ${listed(releases)}`;
  throw sourceFault(
    subject,
    `has modules of no certain version: ${what}`,
    "Make it hold the one folder lib/modules/<version>, with kernel/ and modules.builtin in it.",
  );
}

function isTar(name: string): boolean {
  return /^modules\.(?:tar(?:\.|$)|tgz$)/.test(name);
}
