import { create } from "@bufbuild/protobuf";
import {
  DifferenceSchema,
  FileInfoSchema,
  FileType,
  ImageService,
  ListFilesResponseSchema,
  ReadFileResponseSchema,
  VerifyImageResponseSchema,
  type FileInfo,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { byteString, bytesToBuffer, printable, type ByteString } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { runInSlices } from "../../base/slices.ts";
import type { Ext4Inode } from "../../ext4/read/inode.ts";
import { listFiles, readFilePieces, type ListedFile } from "../../images/files.ts";
import { imagePaths } from "../../images/layout.ts";
import { verifyPublished } from "../../images/verify-published.ts";
import type { Store } from "../../store/store.ts";
import { badPageToken, parseDepth, parsePageSize } from "../parse-request.ts";
import { serverStreaming, unary } from "../routes.ts";
import { required } from "./images.ts";
import { piecesOfImage, readingImage, type CalledImage } from "./told-of-image.ts";

/** How long a client may take nothing of what it reads, in milliseconds: the image's file is open as long. */
export const stallMs = 10 * 60_000;

export interface FileDeps {
  readonly store: Store;
  readonly stateDir: string;
  readonly limits: Limits;
}

/** The part of ImageService that reads inside of published images. */
export function fileRoutes({ store, stateDir, limits }: FileDeps) {
  const { method } = ImageService;
  const find = async (called: string): Promise<CalledImage & { readonly rootfs: string }> => {
    const record = await store.findImage(required(called, "image"));
    return { record, called, stateDir, rootfs: imagePaths(stateDir, record.id).rootfs };
  };
  return {
    verifyImage: unary(
      method.verifyImage,
      async ({ image, depth }, { signal }) => {
        const found = await find(image);
        const { id, manifestDigest } = found.record;
        const wanted = { stateDir, id, manifestDigest, depth: parseDepth(depth), limits, signal };
        const { inodeCount, contentBytesHashed, differences, truncated, fsck } = await readingImage(
          found,
          () => verifyPublished(wanted),
        );
        return create(VerifyImageResponseSchema, {
          inodeCount: BigInt(inodeCount),
          contentBytesHashed: BigInt(contentBytesHashed),
          differences: differences.map((difference) => create(DifferenceSchema, difference)),
          truncated,
          fsckOutput: fsck.clean ? "" : fsck.problems.join("\n"),
        });
      },
      { deadlineMs: 2 * limits.programMs },
    ),

    listFiles: unary(method.listFiles, async ({ image, path, pageSize, pageToken }, { signal }) => {
      const page = { size: parsePageSize(pageSize), after: parseToken(pageToken) };
      const found = await find(image);
      const { files, next } = await readingImage(found, () =>
        runInSlices(listFiles(found.rootfs, path, page), signal),
      );
      const nextPageToken = next === undefined ? "" : bytesToBuffer(next).toString("base64url");
      return create(ListFilesResponseSchema, { files: files.map(fileInfo), nextPageToken });
    }),

    readFile: serverStreaming(
      method.readFile,
      async function* ({ image, path, offset, length }, { signal }) {
        const range = { offset: natural(offset, "offset"), length: natural(length, "length") || undefined };
        const found = await find(image);
        const pieces = readFilePieces(found.rootfs, required(path, "path"), range, signal);
        for await (const chunk of piecesOfImage(found, pieces)) {
          yield create(ReadFileResponseSchema, { chunk });
        }
      },
      { stallMs },
    ),
  };
}

export const fileTypes: Readonly<Record<Ext4Inode["kind"], FileType>> = {
  file: FileType.REGULAR,
  directory: FileType.DIRECTORY,
  symlink: FileType.SYMLINK,
  character: FileType.CHARACTER_DEVICE,
  block: FileType.BLOCK_DEVICE,
  fifo: FileType.FIFO,
  socket: FileType.SOCKET,
};

function fileInfo({ name, inode, linkTarget, xattrs }: ListedFile): FileInfo {
  const { seconds, nanoseconds } = inode.mtime;
  return create(FileInfoSchema, {
    name: bytesToBuffer(name),
    type: fileTypes[inode.kind],
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    sizeBytes: BigInt(inode.size),
    modifyTime: { seconds: BigInt(seconds), nanos: nanoseconds },
    linkCount: inode.linkCount,
    linkTarget: linkTarget === undefined ? Buffer.alloc(0) : bytesToBuffer(linkTarget),
    deviceMajor: inode.major,
    deviceMinor: inode.minor,
    inode: BigInt(inode.number),
    xattrs: Object.fromEntries(xattrs.map((xattr) => [printable(xattr.name), xattr.value])),
  });
}

/** Bytes of the longest name that ext4 holds. */
const maxName = 255;

function parseToken(token: string): ByteString | undefined {
  if (token === "") return undefined;
  const name = Buffer.from(token, "base64url");
  if (name.length > 0 && name.length <= maxName && name.toString("base64url") === token)
    return byteString(name);
  throw badPageToken();
}

function natural(value: bigint, field: string): number {
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new BangerError("OPTION_INVALID", `${field} is out of range`, {
    op: "read file",
    fields: [{ field, description: "It is negative, or larger than any file." }],
    hint: "Give a number of bytes, 0 or more.",
  });
}
