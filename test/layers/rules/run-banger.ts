import { createHash } from "node:crypto";
import { join } from "node:path";
import { BangerError } from "../../../src/base/error.ts";
import { defaultLimits } from "../../../src/base/limits.ts";
import { runThrough } from "../../../src/base/slices.ts";
import { BlobCache } from "../../../src/blobs/cache.ts";
import { flatten } from "../../../src/layers/flatten.ts";
import type { Inode, ScannedBlob, RootTree } from "../../../src/layers/root-tree.ts";
import { LayerScanner } from "../../../src/layers/scan.ts";
import type { ScanPool } from "../../../src/layers/scan-job.ts";
import { everyName } from "../../../src/layers/tree-walk.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { LayoutSource } from "../../../src/registry/local-layout.ts";
import { recordingClock } from "../../base/recording-clock.ts";
import type { HostEntry } from "../../system/host-tree.ts";

/** What banger made of an image: a tree, or a refusal. */
export type BangerResult =
  | { readonly refused: string; readonly tree?: undefined }
  | { readonly refused?: undefined; readonly tree: RootTree; readonly layers: readonly ScannedBlob[] };

/** Takes an image in a layout through a pull's first stages: resolve, fetch, scan, flatten. */
export async function runBanger(layout: string, pool: ScanPool, cacheFolder: string): Promise<BangerResult> {
  try {
    return await treeOf(layout, pool, cacheFolder);
  } catch (error) {
    if (!(error instanceof BangerError)) throw error;
    return { refused: error.facts["rule"] ?? error.reason };
  }
}

async function treeOf(
  layout: string,
  pool: ScanPool,
  cacheFolder: string,
): Promise<{ readonly tree: RootTree; readonly layers: readonly ScannedBlob[] }> {
  const limits = defaultLimits;
  const clock = recordingClock();
  const { signal } = new AbortController();
  const options = { signal, onRetry: () => {} };
  await using source = new LayoutSource(
    { kind: "oci", path: layout, tag: "latest", digest: undefined },
    limits,
  );
  const { manifest, config } = await source.resolve(parsePlatform("linux/amd64"), options);
  const cache = await BlobCache.open(cacheFolder, { limits, clock });
  const scanner = new LayerScanner({ pool, indexFolder: join(cacheFolder, "indexes"), limits });
  const indexes = [];
  const layers: ScannedBlob[] = [];
  for (const [at, layer] of manifest.layers.entries()) {
    const { path } = await cache.fetch(layer, (from) => source.openBlob(layer, from, options), options);
    const diffId = config.diffIds[at];
    if (diffId === undefined) throw new RangeError("a layer without a diffID");
    const { mediaType, digest } = layer;
    const scanned = await scanner.scan({ digest, diffId, path }, { mediaType, signal });
    layers.push(scanned.blob);
    indexes.push(scanned.index);
  }
  return { tree: runThrough(flatten(indexes, { limits })), layers };
}

/** The tree as a folder with the same in it would be read. */
export function asHostTree(tree: RootTree, archives: readonly Buffer[]): ReadonlyMap<string, HostEntry> {
  const first = new Map<Inode, string>();
  const entries = new Map<string, HostEntry>();
  for (const { path, inode } of everyName(tree.root)) {
    const name = path === "" ? "/" : `/${path}`;
    if (!first.has(inode)) first.set(inode, name);
    entries.set(name, { ...hostEntry(inode, archives), sameAs: first.get(inode) ?? name });
  }
  return entries;
}

function hostEntry(inode: Inode, archives: readonly Buffer[]): Omit<HostEntry, "sameAs"> {
  const { kind, mode, uid, gid, mtime, xattrs, linkCount } = inode;
  return {
    type: kind,
    mode,
    uid,
    gid,
    mtimeNs: BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds),
    size: kind === "file" ? BigInt(inode.size) : kind === "symlink" ? BigInt(inode.target.length) : undefined,
    links: kind === "directory" ? undefined : BigInt(linkCount),
    rdev: kind === "character" || kind === "block" ? deviceNumber(inode.major, inode.minor) : undefined,
    target: kind === "symlink" ? inode.target : undefined,
    sha256: kind === "file" ? sha256Of(inode, archives) : undefined,
    xattrs: xattrs.map(({ name, value }) => `${name}=0x${value.toString("hex")}`).join("\n"),
  };
}

/** dev_t as stat(2) gives it (kernel include/linux/kdev_t.h, new_encode_dev). */
function deviceNumber(major: number, minor: number): bigint {
  const low = (BigInt(major) << 8n) | (BigInt(minor) & 0xffn);
  return low | ((BigInt(minor) & ~0xffn) << 12n);
}

function sha256Of(inode: Extract<Inode, { kind: "file" }>, archives: readonly Buffer[]): string {
  const { layer, offset, storedBytes, segments = [{ offset: 0, length: storedBytes }] } = inode.content;
  const content = Buffer.alloc(inode.size);
  let from = offset;
  for (const segment of segments) {
    archives[layer]?.copy(content, segment.offset, from, from + segment.length);
    from += segment.length;
  }
  return createHash("sha256").update(content).digest("hex");
}
