import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  LayerPhase,
  PullEventSchema,
  VerifyDepth,
  type PullEvent as PullEventMessage,
} from "../../gen/banger/image/v1/pull_pb.ts";
import type { PullEvent, PullEventBody } from "../pull/events.ts";
import { bootMessage, sharingMessages } from "./convert-kernel.ts";
import {
  builderMessage,
  durationMessage,
  imageMessage,
  injectedFileMessages,
  layerMessage,
  lossMessages,
  platformMessage,
  stageTimeMessages,
} from "./convert.ts";

type EventField = NonNullable<MessageInitShape<typeof PullEventSchema>["event"]>;

/** What a pull said, as its watchers read it. */
export function eventMessage(event: PullEvent, stateDir: string): PullEventMessage {
  return create(PullEventSchema, {
    pullId: event.pullId,
    sequence: BigInt(event.sequence),
    time: timestampFromMs(event.time),
    stage: event.stage,
    event: eventField(event.body, stateDir),
  });
}

function eventField(body: PullEventBody, stateDir: string): EventField {
  switch (body.kind) {
    case "waiting":
      return { case: "waiting", value: { position: body.position, why: body.why } };
    case "resolved":
      return { case: "resolved", value: resolvedValue(body) };
    case "kernelResolved":
      return {
        case: "kernelResolved",
        value: {
          skipped: body.skipped,
          name: body.name,
          version: body.version,
          warnings: [...body.warnings],
        },
      };
    case "retrying": {
      const { subject, attempt, why, delayMs } = body;
      return { case: "retrying", value: { subject, attempt, why, delay: durationMessage(delayMs) } };
    }
    case "layerProgress":
    case "layerFetched":
    case "layerScanned":
      return layerField(body);
    case "published":
      return {
        case: "published",
        value: {
          image: imageMessage(body.image, stateDir),
          stageTimes: stageTimeMessages(body.stageTimes),
          losses: lossMessages(body.image.losses),
          alreadyPresent: body.alreadyPresent,
        },
      };
    default:
      return buildField(body, stateDir);
  }
}

type BodyOf<K extends PullEventBody["kind"]> = Extract<PullEventBody, { readonly kind: K }>;

function resolvedValue(body: BodyOf<"resolved">) {
  return {
    reference: body.reference,
    manifestDigest: body.manifestDigest,
    indexDigest: body.indexDigest ?? "",
    platform: platformMessage(body.platform),
    name: body.name,
    layers: body.layers.map(layerMessage),
    bytesToFetch: BigInt(body.bytesToFetch),
    ...(body.signature === undefined ? {} : { signature: body.signature }),
  };
}

function layerField(body: BodyOf<"layerProgress" | "layerFetched" | "layerScanned">): EventField {
  const { digest, index } = body;
  switch (body.kind) {
    case "layerProgress": {
      const phase = body.phase === "fetching" ? LayerPhase.FETCHING : LayerPhase.SCANNING;
      const [doneBytes, totalBytes] = [BigInt(body.doneBytes), BigInt(body.totalBytes)];
      return { case: "layerProgress", value: { digest, index, phase, doneBytes, totalBytes } };
    }
    case "layerFetched": {
      const { cached, source } = body;
      const [sizeBytes, duration] = [BigInt(body.sizeBytes), durationMessage(body.durationMs)];
      return { case: "layerFetched", value: { digest, index, sizeBytes, cached, duration, source } };
    }
    case "layerScanned":
      return {
        case: "layerScanned",
        value: {
          digest,
          diffId: body.diffId,
          index,
          entryCount: BigInt(body.entryCount),
          inflatedBytes: BigInt(body.inflatedBytes),
          cached: body.cached,
          duration: durationMessage(body.durationMs),
        },
      };
  }
}

type BuildKind =
  | "flattened"
  | "stageProgress"
  | "ext4Built"
  | "ownershipApplied"
  | "agentsInjected"
  | "verified"
  | "bootArtifactsStaged";

function buildField(body: BodyOf<BuildKind>, stateDir: string): EventField {
  if (body.kind === "stageProgress") {
    const { done, total, unit } = body;
    return { case: "stageProgress", value: { done: BigInt(done), total: BigInt(total), unit } };
  }
  const duration = durationMessage(body.durationMs);
  switch (body.kind) {
    case "flattened":
      return {
        case: "flattened",
        value: {
          inodeCount: BigInt(body.inodeCount),
          contentBytes: BigInt(body.contentBytes),
          hiddenEntryCount: BigInt(body.hiddenEntryCount),
          lossCount: BigInt(body.lossCount),
          duration,
        },
      };
    case "ext4Built":
      return {
        case: "ext4Built",
        value: {
          builder: builderMessage(body.builder),
          sizeBytes: BigInt(body.sizeBytes),
          contentBytesWritten: BigInt(body.contentBytesWritten),
          duration,
        },
      };
    case "ownershipApplied":
      return {
        case: "ownershipApplied",
        value: {
          inodeCount: BigInt(body.inodeCount),
          changeCount: BigInt(body.changeCount),
          deviceCount: BigInt(body.deviceCount),
          xattrCount: BigInt(body.xattrCount),
          duration,
        },
      };
    case "agentsInjected": {
      const { skipped, whySkipped } = body;
      const files = injectedFileMessages(body.files);
      const scrubbedPaths = [...body.scrubbedPaths];
      return { case: "agentsInjected", value: { skipped, whySkipped, files, scrubbedPaths, duration } };
    }
    case "verified":
      return {
        case: "verified",
        value: {
          depth: body.depth === "full" ? VerifyDepth.FULL : VerifyDepth.METADATA,
          inodeCount: BigInt(body.inodeCount),
          contentBytesHashed: BigInt(body.contentBytesHashed),
          rootfsDigest: body.rootfsDigest ?? "",
          fsckSkipped: body.fsckSkipped,
          duration,
        },
      };
    case "bootArtifactsStaged": {
      const { boot, imageId } = body;
      if (boot === undefined) return { case: "bootArtifactsStaged", value: { skipped: true, duration } };
      const artifacts = bootMessage(boot, imageId, stateDir);
      const sharing = sharingMessages[boot.sharing];
      const shared = boot.sharing !== "copy";
      return { case: "bootArtifactsStaged", value: { artifacts, shared, sharing, duration } };
    }
  }
}
