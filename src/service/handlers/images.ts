import { create } from "@bufbuild/protobuf";
import {
  DeleteImageResponseSchema,
  GetImageResponseSchema,
  ImageOrder,
  ImageService,
  ListImagesResponseSchema,
  RenameImageResponseSchema,
  type ListImagesRequest,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { BangerError, retold } from "../../base/error.ts";
import { parseImageName } from "../../images/name.ts";
import { removeImage } from "../../images/remove.ts";
import { kernelNames } from "../../kernel/layout.ts";
import type { ImageListOrder, ImageQuery, Store } from "../../store/store.ts";
import { imageMessage, summaryMessage } from "../convert.ts";
import { parsePageSize } from "../parse-request.ts";
import { unary } from "../routes.ts";
import { toldOfHolder } from "./told-of-image.ts";

export interface ImageDeps {
  readonly store: Store;
  readonly stateDir: string;
  /** Told once the disk has more room. */
  readonly onImageDeleted: () => Promise<void>;
}

/** The part of ImageService that is about images that are there. */
export function imageRoutes({ store, stateDir, onImageDeleted }: ImageDeps) {
  const { method } = ImageService;
  return {
    getImage: unary(method.getImage, async ({ image }) => {
      const record = await store.findImage(required(image, "image"));
      return create(GetImageResponseSchema, { image: imageMessage(record, stateDir) });
    }),

    listImages: unary(method.listImages, async (request) => {
      const { images, nextPageToken } = await store.listImages(parseQuery(request));
      return create(ListImagesResponseSchema, {
        images: images.map((image) => summaryMessage(image, stateDir)),
        nextPageToken,
      });
    }),

    renameImage: unary(method.renameImage, async ({ image, newName }) => {
      const name = parseNewName(newName);
      const { id } = await store.findImage(required(image, "image"));
      const record = await store.renameImage(id, name);
      return create(RenameImageResponseSchema, { image: imageMessage(record, stateDir) });
    }),

    deleteImage: unary(method.deleteImage, async ({ image }) => {
      const { id, boot, kernelId } = await store.findImage(required(image, "image"));
      // Those of a kernel that is still there: hard links tell of themselves.
      const shared = boot?.sharing === "reflink" && kernelId !== undefined ? kernelNames : [];
      const freedBytes = await removeImage(store, stateDir, id, shared).catch((error: unknown) => {
        throw toldOfHolder(error, image);
      });
      await onImageDeleted();
      return create(DeleteImageResponseSchema, { id, freedBytes: BigInt(freedBytes) });
    }),
  };
}

function parseQuery(request: ListImagesRequest): ImageQuery {
  return {
    pageSize: parsePageSize(request.pageSize),
    pageToken: request.pageToken || undefined,
    namePrefix: request.namePrefix || undefined,
    repository: request.repository || undefined,
    order: parseOrder(request.order),
    includeNameless: request.includeNameless,
  };
}

function parseOrder(order: ImageOrder): ImageListOrder {
  switch (order) {
    case ImageOrder.UNSPECIFIED:
    case ImageOrder.NAME:
      return "name";
    case ImageOrder.NEWEST_FIRST:
      return "newest";
    case ImageOrder.LARGEST_FIRST:
      return "largest";
    default:
      throw invalidField("order", "It is no order that is known here.");
  }
}

/** The rules of a name, told for the field that it came in. */
function parseNewName(newName: string): string {
  try {
    return parseImageName(newName);
  } catch (error) {
    if (!(error instanceof BangerError)) throw error;
    throw retold(error, {
      fields: error.fields.map(({ description }) => ({ field: "new_name", description })),
    });
  }
}

/** @throws BangerError OPTION_INVALID for an empty text. */
export function required(text: string, field: string): string {
  if (text !== "") return text;
  throw invalidField(field, "It is empty.");
}

/** A field of a request that can't be right. */
export function invalidField(field: string, description: string): BangerError {
  return new BangerError("OPTION_INVALID", `${field}: ${description}`, {
    op: "read request",
    fields: [{ field, description }],
  });
}
