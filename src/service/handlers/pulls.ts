import { create } from "@bufbuild/protobuf";
import {
  CancelPullResponseSchema,
  GetPullResponseSchema,
  ImageService,
  ListPullsResponseSchema,
  PullImageResponseSchema,
  ResolveImageResponseSchema,
  WatchPullResponseSchema,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import type { BuilderName } from "../../ext4/builder.ts";
import type { PullEvent } from "../../pull/events.ts";
import type { Pulls, ResolvedPull } from "../../pull/jobs.ts";
import type { PullSubscription } from "../../pull/subscription.ts";
import type { PullRequest } from "../../pull/request.ts";
import type { PullRecord } from "../../store/records.ts";
import { isShortPullId } from "../../store/pulls.ts";
import type { Store } from "../../store/store.ts";
import { eventMessage } from "../convert-event.ts";
import { layerMessage, platformMessage, pullMessage } from "../convert.ts";
import { parsePageSize, parsePullRequest } from "../parse-request.ts";
import { serverStreaming, unary } from "../routes.ts";
import { required } from "./images.ts";

export interface PullDeps {
  readonly store: Store;
  readonly pulls: Pulls;
  readonly stateDir: string;
  /** What pulls with no word about it are built by. */
  readonly defaultBuilder: () => BuilderName | undefined;
}

/** The part of ImageService that makes images. */
export function pullRoutes({ store, pulls, stateDir, defaultBuilder }: PullDeps) {
  const { method } = ImageService;
  const shown = (record: PullRecord) => pullMessage(pulls.current(record), pulls.watcherCount(record.id));
  const parse = (...[reference, options]: Parameters<typeof parsePullRequest>): PullRequest =>
    parsePullRequest(reference, options, { builder: defaultBuilder() });
  /** A whole one is left alone: one that joined another pull is in no row any more, and can be watched all the same. */
  const wholeId = async (pullId: string): Promise<string> => {
    const id = required(pullId, "pull_id");
    return isShortPullId(id) ? (await store.findPull(id)).id : id;
  };
  return {
    pullImage: serverStreaming(method.pullImage, async function* ({ reference, options }, { signal }) {
      const request = parse(reference, options);
      using subscription = await pulls.pull(request);
      for await (const event of eventsUntil(subscription, signal)) {
        yield create(PullImageResponseSchema, { event: eventMessage(event, stateDir) });
      }
    }),

    watchPull: serverStreaming(method.watchPull, async function* ({ pullId }, { signal }) {
      using subscription = await pulls.watch(await wholeId(pullId));
      for await (const event of eventsUntil(subscription, signal)) {
        yield create(WatchPullResponseSchema, { event: eventMessage(event, stateDir) });
      }
    }),

    listPulls: unary(method.listPulls, async ({ pageSize, pageToken, activeOnly }) => {
      const page = await store.listPulls({
        pageSize: parsePageSize(pageSize),
        pageToken: pageToken || undefined,
        activeOnly,
      });
      return create(ListPullsResponseSchema, {
        pulls: page.pulls.map(shown),
        nextPageToken: page.nextPageToken,
      });
    }),

    getPull: unary(method.getPull, async ({ pullId }) => {
      const record = await store.findPull(required(pullId, "pull_id"));
      return create(GetPullResponseSchema, { pull: shown(record) });
    }),

    cancelPull: unary(method.cancelPull, async ({ pullId }) => {
      const record = await pulls.cancel(await wholeId(pullId));
      return create(CancelPullResponseSchema, { pull: shown(record) });
    }),

    resolveImage: unary(method.resolveImage, async ({ reference, options }, { signal }) =>
      resolvedMessage(await pulls.resolve(parse(reference, options), signal)),
    ),
  };
}

/**
 * The events, for as long as somebody takes them. A client that leaves ends the watching at once, even while
 * nothing happens: the last one to leave stops the pull.
 */
async function* eventsUntil(subscription: PullSubscription, signal: AbortSignal): AsyncGenerator<PullEvent> {
  const leave = (): void => subscription[Symbol.dispose]();
  signal.addEventListener("abort", leave, { once: true });
  try {
    if (!signal.aborted) yield* subscription.events;
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

function resolvedMessage(resolved: ResolvedPull) {
  const { image, signature, name, bytesToFetch, diskNeededBytes, existingImageId } = resolved;
  return create(ResolveImageResponseSchema, {
    reference: image.reference,
    manifestDigest: image.manifestDigest,
    indexDigest: image.indexDigest ?? "",
    platform: platformMessage(image.platform),
    availablePlatforms: image.availablePlatforms.map(platformMessage),
    layers: image.manifest.layers.map(({ digest, mediaType, size }, at) =>
      layerMessage({ digest, diffId: image.config.diffIds[at] ?? digest, mediaType, sizeBytes: size }),
    ),
    bytesToFetch: BigInt(bytesToFetch),
    ...(signature === undefined ? {} : { signature }),
    diskNeededBytes: BigInt(diskNeededBytes),
    defaultName: name,
    existingImageId: existingImageId ?? "",
  });
}
