import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack, type Pack } from "tar-stream";

/** Numbers that are the same in every run: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Text and some noise, which gzip takes to about a third, as it does a distribution's files. */
function contentPool(random: () => number): Buffer {
  const words = Array.from({ length: 4000 }, () => {
    return Array.from(
      { length: 2 + Math.floor(random() * 9) },
      () => "etaoinshrdlucmfw"[Math.floor(random() * 16)],
    ).join("");
  });
  const pieces: Buffer[] = [];
  for (let bytes = 0; bytes < 8 << 20;) {
    const line = Array.from({ length: 12 }, () => words[Math.floor(random() ** 5 * words.length)]).join(" ");
    const noise = Buffer.from(Array.from({ length: 2 }, () => Math.floor(random() * 256)));
    const piece = Buffer.concat([Buffer.from(`${line}\n`), noise]);
    pieces.push(piece);
    bytes += piece.length;
  }
  return Buffer.concat(pieces);
}

export interface ImageShape {
  readonly name: string;
  readonly layers: number;
  readonly entriesPerLayer: number;
  /** Mean of the files' sizes, in bytes; most are far smaller, a few far larger. */
  readonly meanFileBytes: number;
  /** Part of a layer's files that overwrite one of the layer below. */
  readonly overwritten: number;
}

/** An image that is made once, as an OCI layout, in a folder of its name. */
export interface BenchImage {
  readonly name: string;
  readonly what: string;
  /** Fills the folder, which is there and empty; `index.json` comes last. */
  readonly make: (folder: string) => Promise<void>;
  /** The tools that it is for; all where undefined. */
  readonly tools?: readonly string[];
}

interface LayerFacts {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  readonly files: readonly string[];
}

/** Makes the image, once: later calls find it. Returns its folder, below `work`. */
export async function madeImage(image: BenchImage, work: string): Promise<string> {
  const folder = join(work, image.name);
  if (existsSync(join(folder, "index.json"))) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  console.error(`making ${image.name}: ${image.what} …`);
  await image.make(folder);
  return folder;
}

/** An image of layers like this. */
export function shapedImage(what: string, shape: ImageShape): BenchImage {
  return { name: shape.name, what, make: (folder) => makeShape(shape, folder) };
}

/** Layers of made-up folders, files and links. */
async function makeShape(shape: ImageShape, folder: string): Promise<void> {
  const blobs = join(folder, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const layers: LayerFacts[] = [];
  for (let at = 0; at < shape.layers; at++) {
    const below = layers.at(-1)?.files ?? [];
    layers.push(await writeLayer(blobs, (archive) => fillLayer(shape, at, below, archive)));
  }
  writeDocuments(folder, layers);
}

/** One layer with one file of so many bytes, which gzip takes to a third. */
export async function makeOneFile(bytes: number, folder: string): Promise<void> {
  const blobs = join(folder, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const pool = contentPool(seeded(99));
  const layer = await writeLayer(blobs, async (archive) => {
    const entry = archive.entry({
      name: "disk.img",
      size: bytes,
      mode: 0o644,
      mtime: new Date(1_700_000_000_000),
    });
    for (let at = 0; at < bytes; at += pool.length) {
      if (!entry.write(pool.subarray(0, Math.min(pool.length, bytes - at)))) await once(entry, "drain");
    }
    const ended = once(entry, "finish");
    entry.end(Buffer.alloc(0));
    await ended;
    return [];
  });
  writeDocuments(folder, [layer]);
}

function writeDocuments(folder: string, layers: readonly LayerFacts[]): void {
  const put = (value: unknown): { digest: string; size: number } => {
    const bytes = Buffer.from(JSON.stringify(value));
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(folder, "blobs", "sha256", hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const config = put({
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const type = "application/vnd.oci.image";
  const manifest = put({
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: { mediaType: `${type}.config.v1+json`, ...config },
    layers: layers.map(({ digest, size }) => ({ mediaType: `${type}.layer.v1.tar+gzip`, digest, size })),
  });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const manifests = [{ mediaType: `${type}.manifest.v1+json`, ...manifest, annotations }];
  writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

/** Packs a layer. `fill` adds its entries and returns the names of its files. */
async function writeLayer(
  blobs: string,
  fill: (archive: Pack) => Promise<readonly string[]>,
): Promise<LayerFacts> {
  const archive = pack();
  const diff = createHash("sha256");
  const blob = createHash("sha256");
  let size = 0;
  const hashed = new Transform({
    transform(piece: Buffer, _encoding, done) {
      diff.update(piece);
      done(null, piece);
    },
  });
  const counted = new Transform({
    transform(piece: Buffer, _encoding, done) {
      blob.update(piece);
      size += piece.length;
      done(null, piece);
    },
  });
  const temporary = join(blobs, "layer.tmp");
  const zipped = createGzip({ chunkSize: 1 << 18 });
  const written = pipeline(archive, hashed, zipped, counted, createWriteStream(temporary));
  const files = await fill(archive);
  archive.finalize();
  await written;
  const hex = blob.digest("hex");
  renameSync(temporary, join(blobs, hex));
  return { digest: `sha256:${hex}`, diffId: `sha256:${diff.digest("hex")}`, size, files };
}

/** Returns the layer's files; `lower` are those of the layer below. */
async function fillLayer(
  shape: ImageShape,
  layer: number,
  lower: readonly string[],
  archive: Pack,
): Promise<readonly string[]> {
  const random = seeded(layer + 1);
  const pool = contentPool(seeded(99));
  const mtime = new Date(1_700_000_000_000 + layer * 1000);
  const folders: string[] = [];
  const files: string[] = [];
  for (let at = 0; at < shape.entriesPerLayer; at++) {
    const kind = random();
    const owner = random() < 0.02 ? { uid: 33, gid: 33 } : { uid: 0, gid: 0 };
    const below = folders[Math.floor(random() * folders.length)] ?? "";
    if (kind < 0.08 || folders.length === 0) {
      const parent = folders.length < 4 || random() < 0.3 ? `usr/l${layer}` : below;
      const name = `${parent}/d${at}`;
      folders.push(name);
      archive.entry({ name: `${name}/`, type: "directory", mode: 0o755, mtime, ...owner });
    } else if (kind < 0.13 && files.length > 0) {
      archive.entry({
        name: `${below}/s${at}`,
        type: "symlink",
        linkname: files[Math.floor(random() * files.length)] ?? "x",
        mtime,
      });
    } else if (kind < 0.14 && files.length > 0) {
      archive.entry({
        name: `${below}/h${at}`,
        type: "link",
        linkname: files[Math.floor(random() * files.length)] ?? "x",
        mtime,
      });
    } else {
      const old = random() < shape.overwritten ? lower[Math.floor(random() * lower.length)] : undefined;
      const name = old ?? `${below}/f${at}`;
      const size = Math.floor((-Math.log(1 - random())) ** 2.2 * shape.meanFileBytes * 0.42);
      const offset = Math.floor(random() * (pool.length - 1));
      await writeFile(
        archive,
        { name, size, mode: random() < 0.1 ? 0o755 : 0o644, mtime, ...owner },
        contentOf(pool, offset, size),
      );
      files.push(name);
    }
  }
  return files;
}

/** `size` bytes of the pool, from `offset` on and round again. */
function contentOf(pool: Buffer, offset: number, size: number): Buffer {
  const pieces: Buffer[] = [];
  for (let left = size, from = offset; left > 0; from = 0) {
    const piece = pool.subarray(from, Math.min(pool.length, from + left));
    left -= piece.length;
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

function writeFile(archive: Pack, header: Parameters<Pack["entry"]>[0], content: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  archive.entry(header, content, (error) => (error ? reject(error) : resolve()));
  return promise;
}
