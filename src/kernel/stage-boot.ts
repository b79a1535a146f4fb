import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { asBangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { leastShared, shareFile, type Sharing } from "../base/share-file.ts";
import { bootLine, initWord, missingFor, rootBusOf, rootDevices } from "./boot-line.ts";
import type { BootRecord } from "./kernel-record.ts";
import type { KernelInputs } from "./resolve-inputs.ts";
import { kernelPathsIn } from "./layout.ts";
import { listModules } from "./modules.ts";

export interface StageBootInput {
  readonly kernel: KernelInputs;
  /** The image's, in which nothing has a kernel's names yet. */
  readonly dir: string;
  readonly filesystemUuid: string;
  /** Of the image; empty where it has none. */
  readonly initPath: string;
  readonly modulesInRootfs: boolean;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/**
 * Puts a kernel's files beside a root file system, as shares of the same bytes where the file system can: reflinks, else
 * hard links, which is why all of them are read-only. Durable once the folder is published.
 *
 * @throws BangerError DISK_FULL, CANCELLED, or of the file system.
 */
export async function stageBootArtifacts(input: StageBootInput): Promise<BootRecord> {
  try {
    return bootRecord(input, await shareFiles(input));
  } catch (error) {
    throw asBangerError(error, "stage boot artifacts");
  }
}

async function shareFiles({ kernel, dir, limits, signal }: StageBootInput): Promise<Sharing> {
  const { paths, facts } = kernel;
  const to = kernelPathsIn(dir);
  const ways = new Set([await shareFile(paths.kernel, to.kernel, true)]);
  if (facts.hasInitrd) ways.add(await shareFile(paths.initrd, to.initrd, true));
  if (facts.modules !== undefined) {
    const { folders, files } = await listModules(paths.modules, limits, signal);
    await mkdir(to.modules, { mode: 0o755 });
    for (const folder of folders) await mkdir(join(to.modules, folder), { mode: 0o755 });
    for (const { path } of files) {
      signal.throwIfAborted();
      ways.add(await shareFile(join(paths.modules, path), join(to.modules, path), true));
    }
  }
  return leastShared(ways);
}

/** Pure. */
export function bootRecord(
  { kernel, filesystemUuid, initPath, modulesInRootfs }: Omit<StageBootInput, "dir" | "limits" | "signal">,
  sharing: Sharing,
): BootRecord {
  const { name, facts } = kernel;
  const { architecture, version, format, digest, pvh, hasInitrd, modules, builtins, warnings } = facts;
  const bus = rootBusOf(facts);
  const rootDevice = rootDevices[bus];
  // Only an initrd knows file systems by their UUID; the kernel alone knows devices and partitions.
  const root = hasInitrd ? `UUID=${filesystemUuid}` : rootDevice;
  const missing = missingFor(bus, facts);
  return {
    kernelName: name,
    kernelVersion: version,
    kernelFormat: format,
    kernelDigest: digest,
    pvh,
    hasInitrd,
    hasModules: modules !== undefined,
    modulesInRootfs,
    builtins,
    rootDevice,
    commandLine: bootLine({ architecture, root, readOnly: false, init: initWord(initPath) }),
    sharing,
    warnings: missing === undefined ? warnings : [...warnings, missing],
  };
}
