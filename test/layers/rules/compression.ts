import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { file, tar } from "../tar-builder.ts";
import { by, image, plainTar, type Case, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
const archive = tar(file("a", "x".repeat(3000), time));
const half = 1024;
const zstd = (bytes: Buffer): Buffer =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const skippable = Buffer.from("502a4d1803000000616263", "hex");
const gzip = gzipSync(archive);
const ociZstd = "application/vnd.oci.image.layer.v1.tar+zstd";

function flipped(bytes: Buffer, fromEnd: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy.at(-fromEnd) ?? 0) ^ 1, copy.length - fromEnd);
  return copy;
}

const keep = (what: string, blob: Buffer, mediaType?: string, losses: readonly string[] = []): Case =>
  image(
    what,
    { losses },
    { archives: [archive], blobs: [blob], ...(mediaType === undefined ? {} : { mediaType }) },
  );

const refuse = (what: string, refused: string, blob: Buffer, mediaType?: string): Case =>
  image(
    what,
    { refused },
    { archives: [archive], blobs: [blob], ...(mediaType === undefined ? {} : { mediaType }) },
  );

export const compression: readonly Rule[] = [
  {
    text: "gzip may have several members, and zeros for padding after the last.",
    heldBy: [
      ...by("decompress", "inflates gzip in several members", "inflates gzip padded with zeros"),
      ...by("decompress", "inflates a second gzip member that begins 0 bytes after a piece's end"),
    ],
    cases: [
      keep("members", Buffer.concat([gzipSync(archive.subarray(0, half)), gzipSync(archive.subarray(half))])),
      keep("padding", Buffer.concat([gzip, Buffer.alloc(100)])),
    ],
  },
  {
    text: "gzip with a wrong CRC or length, a cut, or anything else after it is refused.",
    heldBy: by(
      "decompress",
      "refuses gzip with a wrong CRC",
      "refuses gzip with a wrong length",
      "refuses gzip cut short",
      "refuses gzip followed by garbage",
      "refuses gzip, zeros, garbage",
    ),
    cases: [
      refuse("CRC", "gzip", flipped(gzip, 8)),
      refuse("length", "gzip", flipped(gzip, 4)),
      refuse("cut", "gzip", gzip.subarray(0, -1)),
      refuse("garbage", "gzip", Buffer.concat([gzip, Buffer.from("garbage")])),
      refuse(
        "zeros, garbage",
        "trailing-garbage",
        Buffer.concat([gzip, Buffer.alloc(9), Buffer.from("garbage")]),
      ),
    ],
  },
  {
    text: "zstd may have several frames, skippable ones too; their checksums are verified.",
    heldBy: by(
      "decompress",
      "inflates zstd in several frames",
      "inflates zstd with skippable frames",
      "refuses zstd with a wrong checksum",
      "refuses zstd whose second frame is cut",
    ),
    cases: [
      keep("frames", Buffer.concat([zstd(archive.subarray(0, half)), zstd(archive.subarray(half))]), ociZstd),
      keep("skippable", Buffer.concat([skippable, zstd(archive)]), ociZstd),
      refuse("checksum", "zstd", flipped(zstd(archive), 1), ociZstd),
    ],
  },
  {
    text: "What the bytes are decides how they are inflated; a media type that says something else is listed.",
    heldBy: by("scan", "a media type that says something else is listed, cached or not; the bytes decide"),
    cases: [
      keep("gzip as plain", gzip, plainTar, ["MEDIA_TYPE_DIFFERS"]),
      keep("plain as gzip", archive, undefined, ["MEDIA_TYPE_DIFFERS"]),
      keep("zstd as gzip", zstd(archive), undefined, ["MEDIA_TYPE_DIFFERS"]),
    ],
  },
  {
    text: "A blob without a byte is refused.",
    heldBy: by("decompress", "refuses nothing"),
    cases: [
      image("as gzip", { refused: "blob-empty" }, { archives: [Buffer.alloc(0)], blobs: [Buffer.alloc(0)] }),
      image(
        "as plain",
        { refused: "blob-empty" },
        { archives: [Buffer.alloc(0)], blobs: [Buffer.alloc(0)], mediaType: plainTar },
      ),
    ],
  },
];
