import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { utf8Bytes } from "../base/bytes.ts";
import { Digester, type Digest } from "../base/digest.ts";
import { asTempDirError, makeTempDir } from "../base/files.ts";
import { writeWhole } from "../base/write-whole.ts";
import type { LayerBlob } from "../layers/root-tree.ts";
import { tarEnd, tarPieces, type TarEntry } from "./tar-writer.ts";

/** Raised whenever the same modules would make another layer: part of an image's options key. */
export const modulesLayerVersion = 1;

export interface ModulesLayerInput {
  /** A folder `lib/modules/<version>`, which nobody changes. */
  readonly dir: string;
  /** That version: where a guest's modprobe looks. */
  readonly release: string;
  /** What is in it, relative, folders before what is in them. */
  readonly folders: readonly string[];
  readonly files: readonly string[];
  readonly tempDir: string;
  readonly signal: AbortSignal;
}

/** A layer to be read after an image's own. Whoever asked for it disposes of it, once nobody reads it any more. */
export interface ModulesLayer extends AsyncDisposable {
  readonly blob: LayerBlob;
}

/**
 * A kernel's modules as a layer, owned by root: they land in `/lib/modules/<version>`, wherever the image's own links
 * lead from there, in place of whatever the image has of that version.
 *
 * @throws BangerError DISK_FULL, CANCELLED, or of the file system.
 */
export async function makeModulesLayer(input: ModulesLayerInput): Promise<ModulesLayer> {
  try {
    await using resources = new AsyncDisposableStack();
    const temp = resources.use(await makeTempDir("modules-", input.tempDir));
    const path = join(temp.path, "layer.tar");
    const digest = await writeArchive(path, input);
    const owned = resources.move();
    return {
      blob: { digest, diffId: digest, path },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    throw asTempDirError(error, "put modules into the image", input.tempDir);
  }
}

/** File by file: all modules of a distribution together would fill a few hundred MB of memory. */
async function writeArchive(path: string, input: ModulesLayerInput): Promise<Digest> {
  const { dir, files, signal } = input;
  const digester = new Digester();
  const archive = await open(path, "wx", 0o600);
  let position = 0;
  try {
    const write = async (pieces: readonly Buffer[]): Promise<void> => {
      for (const piece of pieces) digester.update(piece);
      position = await writeWhole(archive, pieces, position);
    };
    for (const entry of folderEntries(input)) await write(tarPieces(entry));
    for (const file of files) {
      signal.throwIfAborted();
      const content = await readFile(join(dir, file));
      await write(tarPieces({ kind: "file", path: placeOf(input, file), mode: 0o644, content }));
    }
    await write([tarEnd]);
  } finally {
    await archive.close();
  }
  return digester.digest();
}

function folderEntries(input: ModulesLayerInput): readonly TarEntry[] {
  const folder = (path: string): TarEntry => ({ kind: "directory", path: placeOf(input, path), mode: 0o755 });
  const opaque = placeOf(input, ".wh..wh..opq");
  return [
    folder(""),
    { kind: "file", path: opaque, mode: 0o644, content: Buffer.alloc(0) },
    ...input.folders.map(folder),
  ];
}

function placeOf({ release }: ModulesLayerInput, path: string) {
  return utf8Bytes(`lib/modules/${release}${path === "" ? "" : `/${path}`}`);
}
