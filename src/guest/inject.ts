import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { joinBytes, printable, utf8Bytes } from "../base/bytes.ts";
import { digestOf, parseDigest, type Digest } from "../base/digest.ts";
import { asTempDirError, makeTempDir } from "../base/files.ts";
import type { Limits } from "../base/limits.ts";
import { runInSlices, type Sliced } from "../base/slices.ts";
import { BlobFile } from "../layers/blob-file.ts";
import { joinPath, lastName, parentPath, type CleanPath } from "../layers/entry-path.ts";
import { flatten } from "../layers/flatten.ts";
import type { EntryLoss, LayerEntry, LayerIndex } from "../layers/layer-index.ts";
import type { LayerBlob, RootTree, ScannedBlob } from "../layers/root-tree.ts";
import { scanLayer } from "../layers/scan-layer.ts";
import { everyInode, inodeAt, type NamedInode } from "../layers/tree-walk.ts";
import type { GuestAssets } from "./assets.ts";
import { planGuestLayer, type GuestLayerOptions, type GuestLayerPlan } from "./plan-layer.ts";
import { writeTar, type TarEntry } from "./tar-writer.ts";

const op = "inject guest agents";

/** Something that was put into an image, as it is there. */
export interface InjectedFile {
  /** Absolute, printable, with no symlink on the way. */
  readonly path: string;
  readonly mode: number;
  readonly sizeBytes: number;
  /** Of a file's content. */
  readonly digest: Digest | undefined;
  /** Of a symbolic link, printable; empty for all others. */
  readonly linkTarget: string;
  /** The image had something else there. */
  readonly replaced: boolean;
}

export interface InjectionInput extends GuestLayerOptions {
  /** Of the image's own layers, and the tree that they make. */
  readonly indexes: readonly LayerIndex[];
  readonly tree: RootTree;
  readonly assets: GuestAssets;
  readonly tempDir: string;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/** An image with its guest assets. Whoever asked for it disposes of it, once nobody reads its layer any more. */
export interface Injection extends AsyncDisposable {
  /** The layer that the assets are in: to be read after the image's own. */
  readonly blob: ScannedBlob;
  readonly tree: RootTree;
  readonly files: readonly InjectedFile[];
  /** What was emptied or taken away, absolute and printable. */
  readonly scrubbedPaths: readonly string[];
}

/**
 * Lays the guest assets over an image, as one more layer: so what is built, owned, verified and stored of them is what
 * is of any layer's. What it says of them is read from the tree that came out of it.
 *
 * @throws BangerError LAYER_UNSAFE, MANIFEST_INVALID, or those of flatten and the file system.
 */
export async function injectGuest(input: InjectionInput): Promise<Injection> {
  try {
    return await inject(input);
  } catch (error) {
    throw asTempDirError(error, op, input.tempDir);
  }
}

async function inject(input: InjectionInput): Promise<Injection> {
  const { tree: before, indexes, assets, limits, signal } = input;
  const plan = planGuestLayer(before, assets, input);
  const archive = writeTar(entriesOf(plan));
  const digest = digestOf(archive);
  await using resources = new AsyncDisposableStack();
  const temp = resources.use(await makeTempDir("guest-", input.tempDir));
  const path = join(temp.path, "layer.tar");
  const blob: ScannedBlob = { digest, diffId: digest, path, crc32: crc32(archive) };
  await writeFile(blob.path, archive, { mode: 0o600 });
  const index = await indexOf(blob, limits);
  const tree = await runInSlices(flatten([...indexes, index], { limits }), signal);
  const emptied = new Set(plan.emptied);
  const files = await runInSlices(injectedFiles(tree, before, indexes.length, emptied), signal);
  const scrubbedPaths = [...plan.emptied, ...plan.removed].sort().map(shown);
  const owned = resources.move();
  return { blob, tree, files, scrubbedPaths, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function entriesOf({ assets, removed, emptied }: GuestLayerPlan): readonly TarEntry[] {
  const whiteout = utf8Bytes(".wh.");
  return [
    ...removed.map((path): TarEntry => {
      const name = joinPath(parentPath(path), joinBytes([whiteout, lastName(path)]));
      return { kind: "file", path: name, mode: 0o644, content: Buffer.alloc(0) };
    }),
    // Of the mode that systemd gives it.
    ...emptied.map((path): TarEntry => ({ kind: "file", path, mode: 0o444, content: Buffer.alloc(0) })),
    ...assets.map((asset): TarEntry => {
      const path = utf8Bytes(asset.path);
      return asset.kind === "symlink"
        ? { kind: "symlink", path, target: utf8Bytes(asset.target) }
        : { ...asset, path };
    }),
  ];
}

/** By the ordinary scanner, but in this thread: `limits.guestAssetBytes` bounds what that takes. */
async function indexOf(blob: LayerBlob, limits: Limits): Promise<LayerIndex> {
  const entries: LayerEntry[] = [];
  const losses: EntryLoss[] = [];
  const sink = {
    entry: (entry: LayerEntry) => void entries.push(entry),
    loss: (loss: EntryLoss) => void losses.push(loss),
  };
  using file = BlobFile.open(blob.path);
  const facts = await scanLayer(blob, file, limits, sink, () => {});
  const { digest: blobDigest, diffId } = blob;
  return { blobDigest, diffId, ...facts, entries, losses };
}

/** Inodes between two pauses. */
const slice = 4096;

/** All that stems from the guest's layer, folders made on the way to it included. */
function* injectedFiles(
  tree: RootTree,
  before: RootTree,
  layer: number,
  emptied: ReadonlySet<CleanPath>,
): Sliced<readonly InjectedFile[]> {
  const files: InjectedFile[] = [];
  let seen = 0;
  for (const named of everyInode(tree.root)) {
    if (++seen % slice === 0) yield;
    if (named.inode.origin.layer !== layer || emptied.has(named.path)) continue;
    files.push(injectedFile(named, inodeAt(before.root, named.path) !== undefined));
  }
  return files;
}

function injectedFile({ path, inode }: NamedInode, replaced: boolean): InjectedFile {
  const base = {
    path: shown(path),
    mode: inode.mode,
    sizeBytes: 0,
    digest: undefined,
    linkTarget: "",
    replaced,
  };
  if (inode.kind === "symlink") return { ...base, linkTarget: printable(inode.target) };
  if (inode.kind !== "file") return base;
  const digest = parseDigest(`sha256:${inode.content.sha256.toString("hex")}`, op);
  return { ...base, sizeBytes: inode.size, digest };
}

function shown(path: CleanPath): string {
  return `/${printable(path)}`;
}
