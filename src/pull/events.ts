import type { Digest } from "../base/digest.ts";
import type { BuilderName } from "../ext4/builder.ts";
import type { VerifyDepth } from "../ext4/verify.ts";
import type { BootRecord } from "../kernel/kernel-record.ts";
import type { Platform } from "../oci/platform.ts";
import type { VerifiedSignature } from "../signature/check-signature.ts";
import type { ImageRecord, InjectedFileRecord, StageTime } from "../store/records.ts";

/** The stages, in the order of the road. */
export const stages = [
  "resolve",
  "kernel",
  "fetch",
  "scan",
  "flatten",
  "build",
  "own",
  "inject",
  "verify",
  "stage-boot",
  "publish",
] as const;

export type Stage = (typeof stages)[number];

export interface LayerSummary {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/** What a pull says while it goes: plain data, each once, when it is true. Durations are milliseconds. */
export type PullEventBody =
  | { readonly kind: "waiting"; readonly position: number; readonly why: string }
  | {
      readonly kind: "resolved";
      readonly reference: string;
      readonly manifestDigest: Digest;
      readonly indexDigest: Digest | undefined;
      readonly platform: Platform;
      readonly name: string;
      readonly layers: readonly LayerSummary[];
      readonly bytesToFetch: number;
      readonly signature?: VerifiedSignature | undefined;
    }
  | {
      readonly kind: "kernelResolved";
      readonly skipped: boolean;
      readonly name: string;
      readonly version: string;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: "layerProgress";
      readonly digest: Digest;
      readonly index: number;
      readonly phase: "fetching" | "scanning";
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  | {
      readonly kind: "retrying";
      readonly subject: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly why: string;
    }
  | {
      readonly kind: "layerFetched";
      readonly digest: Digest;
      readonly index: number;
      readonly sizeBytes: number;
      readonly cached: boolean;
      readonly durationMs: number;
      readonly source: string;
      /** Bytes that came from there, and bytes that needn't as a broken download was resumed; none where left out. */
      readonly receivedBytes?: number;
      readonly sparedBytes?: number;
    }
  | {
      readonly kind: "layerScanned";
      readonly digest: Digest;
      readonly diffId: Digest;
      readonly index: number;
      readonly entryCount: number;
      readonly inflatedBytes: number;
      readonly cached: boolean;
      readonly durationMs: number;
    }
  | {
      readonly kind: "flattened";
      readonly inodeCount: number;
      readonly contentBytes: number;
      readonly hiddenEntryCount: number;
      readonly lossCount: number;
      readonly durationMs: number;
    }
  | { readonly kind: "stageProgress"; readonly done: number; readonly total: number; readonly unit: string }
  | {
      readonly kind: "ext4Built";
      readonly builder: BuilderName;
      readonly sizeBytes: number;
      readonly contentBytesWritten: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: "ownershipApplied";
      readonly inodeCount: number;
      readonly changeCount: number;
      readonly deviceCount: number;
      readonly xattrCount: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: "agentsInjected";
      readonly skipped: boolean;
      readonly whySkipped: string;
      readonly files: readonly InjectedFileRecord[];
      readonly scrubbedPaths: readonly string[];
      readonly durationMs: number;
    }
  | {
      readonly kind: "verified";
      readonly depth: VerifyDepth;
      readonly inodeCount: number;
      readonly contentBytesHashed: number;
      readonly rootfsDigest: Digest | undefined;
      readonly fsckSkipped: boolean;
      readonly durationMs: number;
    }
  | {
      readonly kind: "bootArtifactsStaged";
      /** Undefined where no kernel was asked for. */
      readonly boot: BootRecord | undefined;
      /** Of the image that they stand beside. */
      readonly imageId: string;
      readonly durationMs: number;
    }
  | {
      readonly kind: "published";
      readonly image: ImageRecord;
      readonly stageTimes: readonly StageTime[];
      readonly alreadyPresent: boolean;
    };

export interface PullEvent {
  readonly pullId: string;
  /** Counts from 1 within the pull. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly stage: Stage;
  readonly body: PullEventBody;
}

/**
 * Progress may be coalesced and dropped for a slow reader; all else is a milestone and never is. A place in line is
 * progress: in a long line all of them would be more than all else.
 */
export function isProgress(event: PullEvent): boolean {
  const { kind } = event.body;
  return kind === "layerProgress" || kind === "stageProgress" || kind === "waiting";
}
