import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import type { Digest } from "../base/digest.ts";
import { BangerError, messageOf } from "../base/error.ts";
import * as images from "./images.ts";
import type { ImagePage, ImageQuery } from "./images.ts";
import * as leases from "./leases.ts";
import type { LeaseRequest } from "./leases.ts";
import { isDiskFull, openDatabase } from "./open.ts";
import * as pulls from "./pulls.ts";
import type { InterruptedPulls, PullPage, PullQuery } from "./pulls.ts";
import * as kernels from "./kernels.ts";
import type { KernelPage, KernelQuery, KernelUse } from "./kernels.ts";
import type { KernelRecord } from "../kernel/kernel-record.ts";
import type { ImageRecord, LeaseRecord, PullRecord, StoredRequest } from "./records.ts";
import type { Schema } from "./schema.ts";

export type { ImageListOrder, ImagePage, ImageQuery } from "./images.ts";
export type { LeaseRequest } from "./leases.ts";
export type { InterruptedPulls, PullPage, PullQuery, ResumablePull } from "./pulls.ts";
export type { KernelPage, KernelQuery, KernelUse } from "./kernels.ts";
export type { ImageSummary } from "./rows.ts";

/**
 * What the daemon knows of its images and pulls. Each call is one transaction, and once it returns its effect
 * survives a power cut. Failures of the database itself are STORE_FAILED, a full disk is DISK_FULL.
 */
export interface Store extends AsyncDisposable {
  /**
   * Adds a published image. An image of the same repository that holds its name becomes nameless.
   *
   * @throws BangerError NAME_TAKEN where another repository's image holds it; nothing is changed.
   */
  insertImage(record: ImageRecord): Promise<void>;
  /**
   * By id, name, or a unique beginning of an id, in this order.
   *
   * @throws BangerError IMAGE_UNKNOWN, or OPTION_INVALID where several ids begin so.
   */
  findImage(nameOrIdOrPrefix: string): Promise<ImageRecord>;
  findByName(name: string): Promise<ImageRecord | undefined>;
  /** The newest nameless image of the repository that was made of that manifest with those options. */
  findNameless(
    repository: string,
    manifestDigest: Digest,
    optionsKey: string,
  ): Promise<ImageRecord | undefined>;
  /** Gives the image a name by the rules of `insertImage`. @throws IMAGE_UNKNOWN or NAME_TAKEN. */
  moveName(id: string, name: string): Promise<ImageRecord>;
  /** Takes the name from nobody: @throws NAME_TAKEN where any other image holds it, or IMAGE_UNKNOWN. */
  renameImage(id: string, newName: string): Promise<ImageRecord>;
  /** A page may hold fewer images than asked for, and still not be the last. @throws OPTION_INVALID for a token. */
  listImages(query: ImageQuery): Promise<ImagePage>;
  /** With its layers and leases, whoever holds them. @throws BangerError IMAGE_UNKNOWN. */
  deleteImage(id: string): Promise<void>;
  /**
   * Makes sure that nobody holds an image or comes to hold it, until what is returned is disposed of. It needs no room
   * on the disk.
   *
   * @throws BangerError IMAGE_IN_USE that names the holder.
   */
  condemnImage(id: string): Promise<Disposable>;
  allImageIds(): Promise<ReadonlySet<string>>;
  imageCount(): Promise<number>;
  /** Digests of the layers that some image was made of. */
  referredDigests(): Promise<ReadonlySet<Digest>>;

  /** Takes a lease or renews one. @throws BangerError IMAGE_UNKNOWN, LEASE_UNKNOWN or TOO_MANY_LEASES. */
  acquireLease(request: LeaseRequest): Promise<LeaseRecord>;
  /** @throws BangerError LEASE_UNKNOWN, also for one that has ended. */
  releaseLease(id: string): Promise<void>;
  /** Those that have not ended, the one that lasts longest first. */
  leasesOf(imageId: string): Promise<readonly LeaseRecord[]>;

  /** @throws BangerError NAME_TAKEN. */
  insertKernel(record: KernelRecord): Promise<void>;
  findKernel(name: string): Promise<KernelUse | undefined>;
  /** @throws BangerError OPTION_INVALID for a token. */
  listKernels(query: KernelQuery): Promise<KernelPage>;
  /** @throws BangerError KERNEL_IN_USE where images use it, unless forced; KERNEL_UNKNOWN. */
  deleteKernel(id: string, force: boolean): Promise<void>;
  allKernels(): Promise<readonly { readonly id: string; readonly name: string }[]>;

  /** A pull with its request can go on after a restart, if it is detached. */
  insertPull(record: PullRecord, request?: StoredRequest): Promise<void>;
  /** @throws BangerError PULL_UNKNOWN. */
  updatePull(record: PullRecord): Promise<void>;
  /** Idempotent. */
  deletePull(id: string): Promise<void>;
  /** @throws BangerError PULL_UNKNOWN. */
  findPull(id: string): Promise<PullRecord>;
  /** A page may hold fewer pulls than asked for, and still not be the last. @throws OPTION_INVALID for a token. */
  listPulls(query: PullQuery): Promise<PullPage>;
  /** Of those that wait or run, or did when their daemon ended. */
  unendedPullCount(): Promise<number>;
  /** Fails what a killed daemon left waiting or running, and tells which may go on. Idempotent. */
  endInterruptedPulls(): Promise<InterruptedPulls>;
}

export interface StoreOptions {
  readonly migrations?: Readonly<Record<string, Migration>>;
  /** How long ended pulls are remembered, in milliseconds; 10,000 of them at most. Asked each time: it may change. */
  readonly keepHistoryMs?: () => number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const day = 24 * 60 * 60_000;

/**
 * Opens the store of a state folder, whose lock the caller holds until it has disposed of the store.
 *
 * @throws BangerError STORE_FAILED, PERMISSION_DENIED or DISK_FULL.
 */
export async function openStore(
  path: string,
  { migrations, keepHistoryMs = () => 30 * day, now = Date.now }: StoreOptions = {},
): Promise<Store> {
  const db = await openDatabase(path, migrations);
  const keepSince = (): number => now() - keepHistoryMs();
  const condemned = new Set<string>();
  return {
    insertImage: (record) => guarded(() => images.insertImage(db, record)),
    findImage: (wanted) => guarded(() => images.findImage(db, wanted)),
    findByName: (name) => guarded(() => images.findByName(db, name)),
    findNameless: (repository, digest, key) =>
      guarded(() => images.findNameless(db, repository, digest, key)),
    moveName: (id, name) => guarded(() => images.moveName(db, id, name)),
    renameImage: (id, newName) => guarded(() => images.renameImage(db, id, newName)),
    listImages: (query) => guarded(() => images.listImages(db, query)),
    deleteImage: (id) => guarded(() => images.deleteImage(db, id)),
    allImageIds: () => guarded(() => images.allImageIds(db)),
    condemnImage: (id) => guarded(() => condemn(db, id, condemned, now())),
    imageCount: () => guarded(() => images.imageCount(db)),
    referredDigests: () => guarded(() => images.referredDigests(db)),
    acquireLease: (request) => guarded(() => leases.acquireLease(db, request, now(), condemned)),
    releaseLease: (id) => guarded(() => leases.releaseLease(db, id, now())),
    leasesOf: (id) => guarded(() => leases.leasesOf(db, id, now())),
    insertKernel: (record) => guarded(() => kernels.insertKernel(db, record)),
    findKernel: (name) => guarded(() => kernels.findKernel(db, name)),
    listKernels: (query) => guarded(() => kernels.listKernels(db, query)),
    deleteKernel: (id, force) => guarded(() => kernels.deleteKernel(db, id, force)),
    allKernels: () => guarded(() => kernels.allKernels(db)),
    insertPull: (record, request) => guarded(() => pulls.insertPull(db, record, request, keepSince())),
    updatePull: (record) => guarded(() => pulls.updatePull(db, record)),
    deletePull: (id) => guarded(() => pulls.deletePull(db, id)),
    findPull: (id) => guarded(() => pulls.findPull(db, id)),
    listPulls: (query) => guarded(() => pulls.listPulls(db, query)),
    unendedPullCount: () => guarded(() => pulls.unendedPullCount(db)),
    endInterruptedPulls: () => guarded(() => pulls.endInterruptedPulls(db, now(), keepSince())),
    [Symbol.asyncDispose]: () => db.destroy(),
  };
}

/**
 * First condemned and then looked at: a lease that is being taken either sees that, or is seen. One daemon has a state
 * folder, so that this needs no row.
 */
async function condemn(
  db: Kysely<Schema>,
  id: string,
  condemned: Set<string>,
  now: number,
): Promise<Disposable> {
  if (condemned.has(id)) throw images.imageUnknownError(id);
  condemned.add(id);
  try {
    await leases.refuseLeased(db, id, now);
  } catch (error) {
    condemned.delete(id);
    throw error;
  }
  return { [Symbol.dispose]: () => void condemned.delete(id) };
}

/** SQLite's errors stay in here. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error);
  }
}

function storeError(error: unknown): unknown {
  if (error instanceof BangerError) return error;
  const op = "use store";
  const cause = error;
  if (isDiskFull(error)) {
    return new BangerError("DISK_FULL", "no space left for the store", {
      op,
      cause,
      hint: "Free some space on the disk that holds the state folder.",
    });
  }
  return new BangerError("STORE_FAILED", `the store failed: ${messageOf(error)}`, { op, cause });
}
