import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isDigest, type Digest } from "../base/digest.ts";
import { asBangerError, errnoOf } from "../base/error.ts";
import type { CacheFolders } from "./layout.ts";
import { isGone } from "./owner.ts";

export const cacheKinds = ["blobs", "indexes", "ingest"] as const;
export type CacheKind = (typeof cacheKinds)[number];

/** One file of a cache. */
export interface CacheFile {
  readonly kind: CacheKind;
  /** The blob that it is, or is about. */
  readonly digest: Digest;
  readonly path: string;
  readonly bytes: number;
  /** When it was last used, in milliseconds since 1970: see `BlobCache.fetch`. */
  readonly usedAt: number;
  /** A download or a scan of a process that lives writes to it. */
  readonly isBusy: boolean;
}

/**
 * All files of a cache. Names that this program does not give are left out, and so is what goes while it is looked at.
 *
 * @throws BangerError of the file system, CANCELLED.
 */
export async function listCache(folders: CacheFolders, signal: AbortSignal): Promise<readonly CacheFile[]> {
  const files: CacheFile[] = [];
  try {
    for (const algorithm of ["sha256", "sha512"]) {
      for (const kind of ["blobs", "indexes"] as const) {
        const folder = join(folders[kind], algorithm);
        files.push(...(await filesIn(folder, signal, (name) => parseName(kind, `${algorithm}-${name}`))));
      }
    }
    files.push(...(await filesIn(folders.ingest, signal, (name) => parseName("ingest", name))));
    return files;
  } catch (error) {
    throw asBangerError(error, "list cache");
  }
}

interface CacheName {
  readonly kind: CacheKind;
  readonly digest: Digest;
  /** What follows the digest: who downloads it, or that a scan writes it. */
  readonly suffix: string;
}

/** `sha256-<hex>`, and for what is being written `.` and more. */
export function parseName(kind: CacheKind, name: string): CacheName | undefined {
  const {
    algorithm,
    hex,
    suffix = "",
  } = /^(?<algorithm>[a-z0-9]+)-(?<hex>[0-9a-f]+)(?:\.(?<suffix>.+))?$/.exec(name)?.groups ?? {};
  const digest = `${algorithm}:${hex}`;
  if (!isDigest(digest) || (kind === "blobs" && suffix !== "")) return undefined;
  return { kind, digest, suffix };
}

async function filesIn(
  folder: string,
  signal: AbortSignal,
  parse: (name: string) => CacheName | undefined,
): Promise<readonly CacheFile[]> {
  const files: CacheFile[] = [];
  for (const name of await namesIn(folder)) {
    signal.throwIfAborted();
    const parsed = parse(name);
    const file = parsed === undefined ? undefined : await look(join(folder, name), parsed);
    if (file !== undefined) files.push(file);
  }
  return files;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function look(path: string, { kind, digest, suffix }: CacheName): Promise<CacheFile | undefined> {
  try {
    const stats = await lstat(path);
    if (!stats.isFile()) return undefined;
    const idleMs = Date.now() - stats.mtimeMs;
    // A scan's file has no owner in its name; one that nobody wrote to for an hour is a killed process's.
    const isBusy = suffix !== "" && (kind === "ingest" ? !isGone(suffix, idleMs) : idleMs < 3_600_000);
    return { kind, digest, path, bytes: stats.size, usedAt: stats.mtimeMs, isBusy };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
