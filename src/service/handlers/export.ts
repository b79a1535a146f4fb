import { create } from "@bufbuild/protobuf";
import {
  ExportFormat,
  ExportImageResponseSchema,
  ImageService,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { openExport, type ExportFormat as FormatName } from "../../images/export.ts";
import { imagePaths } from "../../images/layout.ts";
import type { Store } from "../../store/store.ts";
import { serverStreaming } from "../routes.ts";
import { stallMs } from "./files.ts";
import { invalidField, required } from "./images.ts";
import { piecesOfImage } from "./told-of-image.ts";

export interface ExportDeps {
  readonly store: Store;
  readonly stateDir: string;
}

/** The part of ImageService that copies images out. */
export function exportRoutes({ store, stateDir }: ExportDeps) {
  return {
    exportImage: serverStreaming(
      ImageService.method.exportImage,
      async function* ({ image, format }, { signal }) {
        const wanted = parseFormat(format);
        const record = await store.findImage(required(image, "image"));
        const found = { record, called: image, stateDir };
        await using exported = await openExport(imagePaths(stateDir, record.id).rootfs, wanted, signal);
        yield create(ExportImageResponseSchema, { totalSizeBytes: BigInt(exported.sizeBytes) });
        for await (const { offset, bytes } of piecesOfImage(found, exported.pieces)) {
          yield create(ExportImageResponseSchema, { offset: BigInt(offset), chunk: bytes });
        }
      },
      { stallMs },
    ),
  };
}

function parseFormat(format: ExportFormat): FormatName {
  switch (format) {
    case ExportFormat.UNSPECIFIED:
    case ExportFormat.RAW:
      return "raw";
    case ExportFormat.ZSTD:
      return "zstd";
    default:
      throw invalidField("format", "It is no format that is known here.");
  }
}
