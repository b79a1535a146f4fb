import { create } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs, type Duration } from "@bufbuild/protobuf/wkt";
import {
  AcquireImageResponseSchema,
  ImageService,
  ReleaseImageResponseSchema,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { printable, utf8Bytes } from "../../base/bytes.ts";
import type { Store } from "../../store/store.ts";
import { imageMessage } from "../convert.ts";
import { unary } from "../routes.ts";
import { invalidField, required } from "./images.ts";

export interface LeaseDeps {
  readonly store: Store;
  readonly stateDir: string;
}

/** What a lease lasts where nothing is asked, and at most: a holder that died must not hold an image for ever. */
const defaultTtlMs = 60 * 60_000;
const maxTtlMs = 24 * 60 * 60_000;

/** Characters of a holder's name, which is in the error that it causes. */
const maxHolder = 128;

/** The part of ImageService by which others keep images from being deleted. */
export function leaseRoutes({ store, stateDir }: LeaseDeps) {
  const { method } = ImageService;
  return {
    acquireImage: unary(method.acquireImage, async ({ image, holder, ttl, leaseId }) => {
      const ask = { holder: parseHolder(holder), ttlMs: parseTtl(ttl), renew: leaseId || undefined };
      const record = await store.findImage(required(image, "image"));
      const { id, expiresAt } = await store.acquireLease({ ...ask, imageId: record.id });
      return create(AcquireImageResponseSchema, {
        leaseId: id,
        image: imageMessage(record, stateDir),
        expireTime: timestampFromMs(expiresAt),
      });
    }),

    releaseImage: unary(method.releaseImage, async ({ leaseId }) => {
      await store.releaseLease(required(leaseId, "lease_id"));
      return create(ReleaseImageResponseSchema);
    }),
  };
}

function parseHolder(holder: string): string {
  if (required(holder, "holder").length > maxHolder) {
    throw invalidField("holder", `It is longer than ${maxHolder} characters.`);
  }
  return printable(utf8Bytes(holder));
}

function parseTtl(ttl: Duration | undefined): number {
  if (ttl === undefined) return defaultTtlMs;
  const ms = durationMs(ttl);
  if (ms > 0 && ms <= maxTtlMs) return ms;
  throw invalidField("ttl", "It is not more than 0 and at most 24 hours (86400s).");
}
