import { create } from "@bufbuild/protobuf";
import {
  DiffImagesResponseSchema,
  FileType,
  GetImageUsageResponseSchema,
  ImageService,
  PathChangeSchema,
  type LayerUsageSchema,
  type PathUsageSchema,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { bytesToBuffer } from "../../base/bytes.ts";
import { BangerError } from "../../base/error.ts";
import { diffPublished, publishedUsage, type PublishedImage } from "../../images/compare-published.ts";
import type { PathChange } from "../../images/diff-trees.ts";
import type { LayerUsage, PathUsage, Usage } from "../../images/tree-usage.ts";
import type { Inode } from "../../layers/root-tree.ts";
import type { ImageRecord } from "../../store/records.ts";
import { unary } from "../routes.ts";
import { fileTypes, type FileDeps } from "./files.ts";
import { required } from "./images.ts";
import { readingImage, type CalledImage } from "./told-of-image.ts";

/** Bytes of what a diff lists, so that its message stays below gRPC's 4 MiB however it is encoded. */
const diffBytes = 1 << 20;

/** The part of ImageService that works on the trees which are stored beside images. */
export function compareRoutes({ store, stateDir, limits }: FileDeps) {
  const { method } = ImageService;
  const find = async (called: string, field: string): Promise<CalledImage> => {
    return { record: await store.findImage(required(called, field)), called, stateDir };
  };
  const published = ({ record: { id, manifestDigest } }: CalledImage): PublishedImage => ({
    stateDir,
    id,
    manifestDigest,
  });
  return {
    diffImages: unary(method.diffImages, async (request, { signal }) => {
      const { ignoreTimes } = request;
      const limit = upTo(request.limit, "limit", 1000, 10_000);
      const [before, after] = [await find(request.before, "before"), await find(request.after, "after")];
      const options = { limit, ignoreTimes, limitBytes: diffBytes, limits, signal };
      const diff = await readingImage(before, () =>
        readingImage(after, () => diffPublished(published(before), published(after), options)),
      );
      return create(DiffImagesResponseSchema, {
        changes: diff.changes.map(changeMessage),
        truncated: diff.truncated,
        addedCount: BigInt(diff.added),
        removedCount: BigInt(diff.removed),
        changedCount: BigInt(diff.changed),
      });
    }),

    getImageUsage: unary(method.getImageUsage, async (request, { signal }) => {
      const { path } = request;
      const depth = upTo(request.depth, "depth", 1, 64);
      const limit = upTo(request.limit, "limit", 20, 256);
      const image = await find(request.image, "image");
      const usage = await readingImage(image, () =>
        publishedUsage(published(image), { path, depth, limit }, { limits, signal }),
      );
      return create(GetImageUsageResponseSchema, {
        total: usageInit(usage.total),
        folders: usage.folders.map(pathUsageInit),
        files: usage.files.map(pathUsageInit),
        layers: (usage.layers ?? []).map((layer) => layerUsageInit(layer, image.record)),
        layersKnown: usage.layers !== undefined,
        truncated: usage.truncated,
      });
    }),
  };
}

function changeMessage({ path, before, after, fields }: PathChange) {
  return create(PathChangeSchema, {
    path: bytesToBuffer(path),
    typeBefore: typeOf(before),
    typeAfter: typeOf(after),
    sizeBefore: sizeOf(before),
    sizeAfter: sizeOf(after),
    fields: fields.map(({ field, before: old, after: now }) => ({ field, before: old, after: now })),
  });
}

function typeOf(inode: Inode | undefined): FileType {
  return inode === undefined ? FileType.UNSPECIFIED : fileTypes[inode.kind];
}

function sizeOf(inode: Inode | undefined): bigint {
  return inode?.kind === "file" ? BigInt(inode.size) : 0n;
}

function usageInit({ contentBytes, inodes }: Usage) {
  return { contentBytes: BigInt(contentBytes), inodeCount: BigInt(inodes) };
}

function pathUsageInit({ path, ...usage }: PathUsage): MessageInitShape<typeof PathUsageSchema> {
  return { path: bytesToBuffer(path), usage: usageInit(usage) };
}

function layerUsageInit(
  { layer, ...usage }: LayerUsage,
  { layers }: ImageRecord,
): MessageInitShape<typeof LayerUsageSchema> {
  const { digest = "", inflatedBytes = 0 } = layers[layer] ?? {};
  return { index: layer, digest, inflatedBytes: BigInt(inflatedBytes), usage: usageInit(usage) };
}

/** 0 is `usual`, and more than `most` is that (as AIP-158 has it of pages). */
function upTo(value: number, field: string, usual: number, most: number): number {
  if (value >= 0) return value === 0 ? usual : Math.min(value, most);
  throw new BangerError("OPTION_INVALID", `${field} is negative`, {
    op: "read request",
    fields: [{ field, description: "It is negative." }],
  });
}
