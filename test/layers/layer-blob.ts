import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { constants, crc32, gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf, hexOf } from "../../src/base/digest.ts";
import type { Compression } from "../../src/layers/layer-index.ts";
import type { ScannedBlob } from "../../src/layers/root-tree.ts";

export function compress(bytes: Buffer, compression: Compression): Buffer {
  if (compression === "gzip") return gzipSync(bytes, { level: 1 });
  if (compression === "none") return bytes;
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

/** Writes an archive as a layer's blob into `folder`, named by its digest. */
export async function writeLayer(
  folder: string,
  archive: Buffer,
  compression: Compression = "gzip",
): Promise<ScannedBlob> {
  return writeBlob(folder, compress(archive, compression), archive);
}

/** Writes any bytes as a blob that says to inflate to `archive`. */
export async function writeBlob(folder: string, bytes: Buffer, archive: Buffer): Promise<ScannedBlob> {
  const digest = digestOf(bytes);
  const path = join(folder, hexOf(digest));
  await writeFile(path, bytes);
  return { digest, diffId: digestOf(archive), path, crc32: crc32(bytes) };
}
