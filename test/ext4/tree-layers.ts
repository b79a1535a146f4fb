import { byteString, type ByteString } from "../../src/base/bytes.ts";
import { writeLayer } from "../layers/layer-blob.ts";
import type { Compression } from "../../src/layers/layer-index.ts";
import type { ScannedBlob } from "../../src/layers/root-tree.ts";
import { noise } from "./sample-tree.ts";
import type { BuiltTree } from "./tree-builder.ts";

const compressions: readonly Compression[] = ["gzip", "zstd", "none"];

/**
 * Puts the contents of a tree into layers, in turn, and tells the tree where they are. Between them lies what a
 * tar has between its files: bytes that belong to nobody.
 */
export async function layTree(
  { stored }: BuiltTree,
  folder: string,
  count = 3,
): Promise<readonly ScannedBlob[]> {
  const streams = Array.from({ length: count }, () => ({ parts: [] as Buffer[], length: 0 }));
  let next = 0;
  for (const [inode, bytes] of stored) {
    const layer = next++ % count;
    const stream = streams[layer];
    if (stream === undefined) throw new RangeError("no layer");
    const gap = noise(512 + ((stream.length + bytes.length) % 512), inode.mtime.seconds.toString());
    Object.assign(inode.content, { layer, offset: stream.length + gap.length });
    stream.parts.push(gap, bytes);
    stream.length += gap.length + bytes.length;
  }
  const blobs = streams.map(({ parts }, i) =>
    writeLayer(folder, Buffer.concat([...parts, noise(1024, `end of ${i}`)]), compressions[i % 3]),
  );
  return Promise.all(blobs);
}

/** Bytes written as latin1. */
export function bytesOf(latin1: string): ByteString {
  return byteString(Buffer.from(latin1, "latin1"));
}
