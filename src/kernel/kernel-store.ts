import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, asBangerError, errnoOf, hasReason } from "../base/error.ts";
import { removeTree, writeAtomic } from "../base/files.ts";
import type { Limits } from "../base/limits.ts";
import { removePublished, stageFolder, type StagedFolder } from "../base/published-folder.ts";
import { freedBytes, treeBytes } from "../base/tree-bytes.ts";
import { SingleFlight, type Crew } from "../blobs/single-flight.ts";
import { hostArchitecture, requireRunsOn, runsOn } from "./architecture.ts";
import { assembleKernel, type KernelFilePaths } from "./assemble.ts";
import { chooseEntry, type EntryChoice } from "./choose-entry.ts";
import { kernelTakenError, otherKernelError } from "./kernel-errors.ts";
import type { KernelFacts, KernelRecord } from "./kernel-record.ts";
import { formatKernelSource, parseKernelRef } from "./kernel-ref.ts";
import type { CatalogEntry, KernelCatalog, KernelProgress } from "./kernel-source.ts";
import { kernelDir, kernelDocument, kernelNames, unfinishedDir } from "./layout.ts";

/** Of the daemon's store, what kernels need. */
export interface KernelRows {
  /** @throws BangerError NAME_TAKEN. */
  insertKernel(record: KernelRecord): Promise<void>;
  findKernel(
    name: string,
  ): Promise<{ readonly kernel: KernelRecord; readonly imageCount: number } | undefined>;
  /** @throws BangerError KERNEL_IN_USE, KERNEL_UNKNOWN. */
  deleteKernel(id: string, force: boolean): Promise<void>;
}

export interface KernelStoreDeps {
  readonly stateDir: string;
  readonly rows: KernelRows;
  readonly catalog: KernelCatalog;
  readonly limits: Limits;
  /** The group that may open what is published; undefined for nobody. */
  readonly readerGid: number | undefined;
}

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: KernelProgress) => void;
  /** The processor of the image that it is for, as OCI names it; undefined where it is to be kept for any. */
  readonly neededFor?: string | undefined;
}

/** A kernel that is to be brought in, and the name that it gets here. */
export interface WantedKernel {
  readonly entry: CatalogEntry;
  /** Of the catalogs that it was looked for in. */
  readonly warnings: readonly string[];
}

type Waiter = Pick<FetchOptions, "onProgress" | "neededFor">;

/** The kernels of a state folder: each a folder of its own, whole or not at all, and a row. */
export class KernelStore {
  readonly #deps: KernelStoreDeps;
  readonly #fetches = new SingleFlight<string, Waiter, KernelRecord>();
  /** Kernels that pulls are being staged with, by id. */
  readonly #held = new Map<string, number>();
  /** Those that are being removed, or were: ids are never used again. */
  readonly #condemned = new Set<string>();

  constructor(deps: KernelStoreDeps) {
    this.#deps = deps;
  }

  /**
   * A kernel that is here, for what `parseKernelRef` takes; undefined where it has to be brought in first.
   *
   * @param localName what a source is to be called here, where that is not its default name
   * @throws BangerError NAME_INVALID, REFERENCE_INVALID; NAME_TAKEN where another kernel has the name that a source's
   *   would get.
   */
  async find(ref: string, localName?: string): Promise<KernelRecord | undefined> {
    const parsed = parseKernelRef(ref);
    if (parsed.kind === "name") return (await this.#deps.rows.findKernel(parsed.name))?.kernel;
    const { source, defaultName } = parsed;
    const name = localName ?? defaultName;
    const found = (await this.#deps.rows.findKernel(name))?.kernel;
    if (found === undefined || found.source === formatKernelSource(source)) return found;
    throw otherKernelError(ref, found);
  }

  /**
   * What would be brought in for a kernel that is not here. Asks the catalogs where it is a name.
   *
   * @throws BangerError KERNEL_UNKNOWN, CATALOG_UNAVAILABLE, KERNEL_MISMATCH, KERNEL_AMBIGUOUS.
   */
  async choose(
    ref: string,
    architecture: EntryChoice["architecture"],
    signal: AbortSignal,
    localName?: string,
  ): Promise<WantedKernel> {
    const parsed = parseKernelRef(ref);
    if (parsed.kind === "source") {
      const { source, defaultName } = parsed;
      const name = localName ?? defaultName;
      const wanted = architecture ?? hostArchitecture();
      return { entry: { catalog: "", name, version: "", architecture: wanted, source }, warnings: [] };
    }
    const list = await this.#deps.catalog.list(signal);
    const entry = chooseEntry(list, { name: parsed.name, architecture });
    return { entry, warnings: list.warnings };
  }

  /**
   * Brings a kernel in, once for all who want it from the same source at the same time. One that runs the programs of
   * none of their images is not kept.
   *
   * @throws BangerError of its source, KERNEL_INVALID, KERNEL_MISMATCH, NAME_TAKEN, DISK_FULL, CANCELLED.
   */
  async fetch(wanted: WantedKernel, options: FetchOptions): Promise<KernelRecord> {
    const { name, source } = wanted.entry;
    // Another source's is another kernel, if the name is the same: the second to be whole is told that it is taken.
    const flight = `${name} ${formatKernelSource(source)}`;
    const { signal, onProgress, neededFor } = options;
    // Each waiter is told on its own, even if two gave the same function.
    const waiter: Waiter = { onProgress, neededFor };
    try {
      return await this.#fetches.join(flight, waiter, signal, (crew, shared) =>
        this.#fetch(wanted, crew, shared),
      );
    } catch (error) {
      // It was on its way out, as nothing for those who came before.
      if (isMismatchOfOthers(error, waiter)) return await this.fetch(wanted, options);
      throw error;
    }
  }

  /**
   * Takes files of this machine in, as copies.
   *
   * @throws BangerError NAME_INVALID, NAME_TAKEN, KERNEL_INVALID, FILE_UNKNOWN, DISK_FULL, CANCELLED.
   */
  async import(name: string, files: KernelFilePaths, signal: AbortSignal): Promise<KernelRecord> {
    await using folder = await this.stage();
    const facts = await assembleKernel(files, folder.dir, { own: false, limits: this.#deps.limits, signal });
    return await this.#publish(folder, name, facts, files.kernelPath);
  }

  /**
   * Removes a kernel; images that were staged with it keep their files.
   *
   * @returns bytes that the disk got back
   * @throws BangerError KERNEL_UNKNOWN; KERNEL_IN_USE unless forced.
   */
  async remove(kernel: KernelRecord, force: boolean): Promise<number> {
    if (this.#condemned.has(kernel.id)) throw isGoing(kernel);
    if (this.#held.has(kernel.id) && !force) {
      throw new BangerError("KERNEL_IN_USE", `an image is being made with kernel ${kernel.name}`, {
        op: "remove kernel",
        hint: "Wait for that pull to end, or cancel it.",
      });
    }
    // From now on nobody begins to use it.
    this.#condemned.add(kernel.id);
    try {
      return await this.#remove(kernel, force);
    } catch (error) {
      this.#condemned.delete(kernel.id);
      throw error;
    }
  }

  async #remove(kernel: KernelRecord, force: boolean): Promise<number> {
    const { stateDir, rows } = this.#deps;
    const dir = kernelDir(stateDir, kernel.name);
    const users = (await rows.findKernel(kernel.name))?.imageCount ?? 0;
    // Images have the same bytes, if not as the same inodes, which tell of themselves.
    const freed = await freedBytes(dir, users > 0 ? kernelNames : []);
    await rows.deleteKernel(kernel.id, force);
    await removePublished(dir, unfinishedDir(stateDir, "removing"));
    return freed;
  }

  /** Keeps a kernel from being removed, but by force. @throws BangerError KERNEL_UNKNOWN for one that is going already */
  hold(kernel: KernelRecord): Disposable {
    if (this.#condemned.has(kernel.id)) throw isGoing(kernel);
    const change = (by: number): void => {
      const count = (this.#held.get(kernel.id) ?? 0) + by;
      if (count > 0) this.#held.set(kernel.id, count);
      else this.#held.delete(kernel.id);
    };
    change(1);
    return { [Symbol.dispose]: () => change(-1) };
  }

  dirOf(kernel: Pick<KernelRecord, "name">): string {
    return kernelDir(this.#deps.stateDir, kernel.name);
  }

  /** A folder among the kernels, which is swept at the next start if nobody disposes of it. */
  async stage(): Promise<StagedFolder> {
    const { stateDir, readerGid } = this.#deps;
    try {
      return await stageFolder(unfinishedDir(stateDir, "staging"), { readerGid });
    } catch (error) {
      throw asBangerError(error, "make staging folder");
    }
  }

  async #fetch({ entry, warnings }: WantedKernel, crew: Crew<Waiter>, signal: AbortSignal) {
    const { catalog, limits, rows } = this.#deps;
    const source = formatKernelSource(entry.source);
    // Another's fetch may have ended between this one's look and its turn.
    const here = (await rows.findKernel(entry.name))?.kernel;
    if (here?.source === source) return here;
    if (here !== undefined) throw otherKernelError(source, here);
    await using folder = await this.stage();
    const fetchedInto = join(folder.dir, "fetched");
    await mkdir(fetchedInto, { mode: 0o700 });
    const onProgress: Waiter["onProgress"] = (progress) => {
      for (const waiter of crew.all()) waiter.onProgress(progress);
    };
    const fetched = await catalog.fetch(entry, { folder: fetchedInto, signal, onProgress });
    const facts = await assembleKernel(fetched, folder.dir, { own: true, limits, signal });
    await removeTree(fetchedInto);
    if (entry.catalog !== "" && entry.architecture !== facts.architecture) {
      const message = `the catalog ${entry.catalog} says that ${entry.name} is for ${entry.architecture}, and its kernel is for ${facts.architecture}`;
      throw new BangerError("KERNEL_MISMATCH", message, {
        op: "check kernel",
        hint: "Tell whoever keeps the catalog.",
        facts: { kernel: entry.name, kernelArchitecture: facts.architecture },
      });
    }
    requireUse(entry.name, facts.architecture, [...crew.all()]);
    const all = { ...facts, warnings: [...warnings, ...fetched.warnings, ...facts.warnings] };
    return await this.#publish(folder, entry.name, all, source);
  }

  async #publish(
    folder: StagedFolder,
    name: string,
    facts: KernelFacts,
    source: string,
  ): Promise<KernelRecord> {
    const { rows, stateDir } = this.#deps;
    const target = kernelDir(stateDir, name);
    const { allocated: sizeBytes } = await treeBytes(folder.dir);
    const id = randomBytes(12).toString("hex");
    const record: KernelRecord = { ...facts, id, name, sizeBytes, createdAt: Date.now(), source };
    // Before the rename: a name that is taken is told as that, whatever the folder says.
    if ((await rows.findKernel(name)) !== undefined) throw kernelTakenError(name);
    try {
      const document = Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`);
      await writeAtomic(join(folder.dir, kernelDocument), document, 0o644);
      await folder.publish(target);
    } catch (error) {
      if (errnoOf(error) === "ENOTEMPTY" || errnoOf(error) === "EEXIST") throw kernelTakenError(name);
      throw asBangerError(error, "publish kernel");
    }
    try {
      await rows.insertKernel(record);
    } catch (error) {
      await removePublished(target, unfinishedDir(stateDir, "removing"));
      throw error;
    }
    return record;
  }
}

function isGoing({ name }: KernelRecord): BangerError {
  return new BangerError("KERNEL_UNKNOWN", `the kernel ${name} is being removed`, { op: "find kernel" });
}

function serves(architecture: string, { neededFor }: Waiter): boolean {
  return neededFor === undefined || runsOn(architecture, neededFor);
}

/** @throws BangerError KERNEL_MISMATCH where the kernel is for none of those who wait for it. */
function requireUse(name: string, architecture: string, waiters: readonly Waiter[]): void {
  const [first] = waiters;
  if (first?.neededFor === undefined || waiters.some((waiter) => serves(architecture, waiter))) return;
  requireRunsOn(name, architecture, first.neededFor);
}

/** Whether an error of `requireUse` was none of this one's. */
function isMismatchOfOthers(error: unknown, waiter: Waiter): boolean {
  if (!hasReason(error, "KERNEL_MISMATCH")) return false;
  const { kernelArchitecture, imageArchitecture } = error.facts;
  return (
    kernelArchitecture !== undefined && imageArchitecture !== undefined && serves(kernelArchitecture, waiter)
  );
}
