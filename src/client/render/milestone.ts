import { durationMs as milliseconds } from "@bufbuild/protobuf/wkt";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { Builder } from "../../../gen/banger/image/v1/image_pb.ts";
import { Sharing, VerifyDepth, type PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import type { Stage } from "../../pull/events.ts";
import { safeText } from "./text.ts";
import { formatBytes, formatCount, plural } from "./units.ts";

/** The end of one stage, in words. */
export interface Milestone {
  readonly stage: Stage;
  readonly skipped: boolean;
  /** Safe text. */
  readonly result: string;
  readonly durationMs: number | undefined;
}

/** What an event says has ended; undefined for events that end no stage by themselves. */
export function describeMilestone({ event }: PullEvent): Milestone | undefined {
  switch (event.case) {
    case "resolved": {
      const { layers, bytesToFetch, signature } = event.value;
      const fetch = bytesToFetch === 0n ? "nothing to fetch" : `${formatBytes(bytesToFetch)} to fetch`;
      const signed = signature === undefined ? "" : ", signed";
      return done("resolve", `${plural(layers.length, "layer")}, ${fetch}${signed}`, undefined);
    }
    case "kernelResolved": {
      const { skipped, name, version } = event.value;
      const what = name === "" ? `Linux ${version}, from files` : `${name}, Linux ${version}`;
      return skipped ? skip("kernel", "none asked for") : done("kernel", what, undefined);
    }
    case "flattened": {
      const { inodeCount, contentBytes, hiddenEntryCount, lossCount, duration } = event.value;
      const hidden = hiddenEntryCount === 0n ? "" : `, ${formatCount(hiddenEntryCount)} hidden`;
      const losses = lossCount === 0n ? "" : `, ${plural(lossCount, "loss", "losses")}`;
      const result = `${plural(inodeCount, "inode")}, ${formatBytes(contentBytes)}${hidden}${losses}`;
      return done("flatten", result, duration);
    }
    case "ext4Built": {
      const { builder, sizeBytes, contentBytesWritten, duration } = event.value;
      const result = `${formatBytes(sizeBytes)}, ${formatBytes(contentBytesWritten)} written (${builderName(builder)})`;
      return done("build", result, duration);
    }
    case "ownershipApplied": {
      const { inodeCount, changeCount, deviceCount, xattrCount, duration } = event.value;
      const extras = [
        deviceCount === 0n ? "" : plural(deviceCount, "device"),
        xattrCount === 0n ? "" : plural(xattrCount, "xattr"),
      ].filter((part) => part !== "");
      const result = [`${plural(changeCount, "change")} to ${plural(inodeCount, "inode")}`, ...extras].join(
        ", ",
      );
      return done("own", result, duration);
    }
    case "agentsInjected": {
      const { skipped, whySkipped, files, duration } = event.value;
      if (skipped) return skip("inject", whySkipped);
      return done("inject", files.length === 0 ? "" : plural(files.length, "file"), duration);
    }
    case "verified": {
      const { depth, inodeCount, contentBytesHashed, fsckSkipped, duration } = event.value;
      const hashed = depth === VerifyDepth.FULL ? `, ${formatBytes(contentBytesHashed)} hashed` : "";
      const unasked = fsckSkipped ? "; e2fsck is not installed" : "";
      return done("verify", `${plural(inodeCount, "inode")} as the layers say${hashed}${unasked}`, duration);
    }
    case "bootArtifactsStaged": {
      const { skipped, artifacts, sharing, duration } = event.value;
      if (skipped) return skip("stage-boot", "no kernel");
      const parts = [
        "kernel",
        artifacts?.initrdPath === "" ? undefined : "initrd",
        artifacts?.modulesPath === "" ? undefined : "modules",
      ].filter((part) => part !== undefined);
      return done("stage-boot", `${parts.join(", ")}${sharingText(sharing)}`, duration);
    }
    case "published":
      return done(
        "publish",
        event.value.alreadyPresent ? "it was there already" : (event.value.image?.id ?? ""),
        undefined,
      );
    default:
      return undefined;
  }
}

function sharingText(sharing: Sharing): string {
  switch (sharing) {
    case Sharing.REFLINK:
      return ", sharing their bytes (reflink)";
    case Sharing.HARD_LINK:
      return ", sharing their bytes (hard links)";
    case Sharing.COPY:
      return ", copied";
    default:
      return "";
  }
}

export function builderName(builder: Builder): string {
  switch (builder) {
    case Builder.E2FSPROGS:
      return "e2fsprogs";
    case Builder.DIRECT:
      return "direct";
    default:
      return "unknown builder";
  }
}

function done(stage: Stage, result: string, duration: Duration | undefined): Milestone {
  const durationMs = duration === undefined ? undefined : milliseconds(duration);
  return { stage, skipped: false, result: safeText(result), durationMs };
}

function skip(stage: Stage, why: string): Milestone {
  return { stage, skipped: true, result: safeText(why === "" ? "skipped" : why), durationMs: undefined };
}
