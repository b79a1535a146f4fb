import { createHash, type Hash } from "node:crypto";
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** Bytes of a layer that come so many times in a row. They are compressed once, as a gzip member of their own. */
export interface Stretch {
  readonly bytes: Buffer;
  readonly times?: number;
}

/** A layer, made while it is written: no giant is ever in memory. */
export type GiantLayer = Iterable<Stretch>;

interface Written {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const type = "application/vnd.oci.image";

/** Writes an OCI layout of those layers into a new folder, and returns how `image pull` refers to it. */
export function writeGiantLayout(folder: string, layers: Iterable<GiantLayer>): string {
  const blobs = join(folder, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const diffIds: string[] = [];
  const descriptors: Written[] = [];
  for (const layer of layers) {
    const { diffId, ...written } = writeLayer(blobs, layer);
    diffIds.push(diffId);
    descriptors.push(written);
  }
  const put = (mediaType: string, document: object): Written => {
    const bytes = Buffer.from(JSON.stringify(document));
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const rootfs = { type: "layers", diff_ids: diffIds };
  const config = put(`${type}.config.v1+json`, { architecture: "amd64", os: "linux", rootfs });
  const mediaType = `${type}.manifest.v1+json`;
  const manifest = put(mediaType, { schemaVersion: 2, mediaType, config, layers: descriptors });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(
    join(folder, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  return `oci:${folder}:latest`;
}

function writeLayer(blobs: string, layer: GiantLayer): Written & { readonly diffId: string } {
  const temporary = join(blobs, "temporary");
  const file = openSync(temporary, "wx");
  const hash = createHash("sha256");
  const diffId = createHash("sha256");
  let size = 0;
  for (const { bytes, times = 1 } of layer) {
    const member = gzipSync(bytes, { level: 6 });
    repeat(times, () => {
      diffId.update(bytes);
      size += writeHashed(file, member, hash);
    });
  }
  closeSync(file);
  const hex = hash.digest("hex");
  renameSync(temporary, join(blobs, hex));
  return {
    mediaType: `${type}.layer.v1.tar+gzip`,
    digest: `sha256:${hex}`,
    size,
    diffId: `sha256:${diffId.digest("hex")}`,
  };
}

function repeat(times: number, work: () => void): void {
  for (let i = 0; i < times; i++) work();
}

function writeHashed(file: number, bytes: Buffer, hash: Hash): number {
  hash.update(bytes);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  return bytes.length;
}

/** Entries of a layer, some thousand to a stretch, and the archive's end. */
export function* inStretches(entries: Iterable<Buffer>): Generator<Stretch> {
  let held: Buffer[] = [];
  for (const entry of entries) {
    held.push(entry);
    if (held.length < 4096) continue;
    yield { bytes: Buffer.concat(held) };
    held = [];
  }
  yield { bytes: Buffer.concat([...held, Buffer.alloc(1024)]) };
}
