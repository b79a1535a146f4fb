import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Builder, ImageSchema, LossSchema, StageTimeSchema } from "../../gen/banger/image/v1/image_pb.ts";
import {
  AgentsInjectedSchema,
  BootArtifactsStagedSchema,
  Ext4BuiltSchema,
  FlattenedSchema,
  KernelResolvedSchema,
  LayerFetchedSchema,
  LayerPhase,
  LayerProgressSchema,
  LayerScannedSchema,
  OwnershipAppliedSchema,
  PublishedSchema,
  PullEventSchema,
  ResolvedSchema,
  RetryingSchema,
  StageProgressSchema,
  VerifiedSchema,
  VerifyDepth,
  WaitingSchema,
  type PullEvent,
} from "../../gen/banger/image/v1/pull_pb.ts";

export const start = Date.UTC(2026, 0, 2, 3, 4, 5);

type Body = PullEvent["event"];

/** Numbers and times events as a daemon would: one every 100 ms. */
export function timeline(...bodies: readonly (readonly [stage: string, event: Body])[]): PullEvent[] {
  return bodies.map(([stage, event], at) =>
    create(PullEventSchema, {
      pullId: "p-1",
      sequence: BigInt(at + 1),
      time: timestampFromMs(start + at * 100),
      stage,
      event,
    }),
  );
}

export function digest(index: number): string {
  return `sha256:${index.toString(16).padStart(2, "0").repeat(32)}`;
}

export const waiting = (why = "8 pulls are building"): [string, Body] => [
  "resolve",
  { case: "waiting", value: create(WaitingSchema, { position: 2, why }) },
];

export const resolved = (layerCount: number, name = "debian-bookworm"): [string, Body] => [
  "resolve",
  {
    case: "resolved",
    value: create(ResolvedSchema, {
      reference: "docker.io/library/debian:bookworm",
      manifestDigest: digest(255),
      platform: { os: "linux", architecture: "amd64" },
      name,
      layers: Array.from({ length: layerCount }, (_, index) => ({
        digest: digest(index),
        sizeBytes: 10n * 1024n * 1024n,
      })),
      bytesToFetch: BigInt(layerCount) * 10n * 1024n * 1024n,
    }),
  },
];

export const kernelSkipped: [string, Body] = [
  "kernel",
  { case: "kernelResolved", value: create(KernelResolvedSchema, { skipped: true }) },
];

export const layerProgress = (index: number, phase: "fetch" | "scan", done: number): [string, Body] => [
  phase,
  {
    case: "layerProgress",
    value: create(LayerProgressSchema, {
      digest: digest(index),
      index,
      phase: phase === "fetch" ? LayerPhase.FETCHING : LayerPhase.SCANNING,
      doneBytes: BigInt(done),
      totalBytes: 10n * 1024n * 1024n,
    }),
  },
];

export const retrying = (why = "the connection was reset"): [string, Body] => [
  "fetch",
  {
    case: "retrying",
    value: create(RetryingSchema, {
      subject: "layer 000000000000",
      attempt: 2,
      delay: durationFromMs(1500),
      why,
    }),
  },
];

export const layerFetched = (index: number, cached = false): [string, Body] => [
  "fetch",
  {
    case: "layerFetched",
    value: create(LayerFetchedSchema, {
      digest: digest(index),
      index,
      sizeBytes: 10n * 1024n * 1024n,
      cached,
      duration: durationFromMs(800),
      source: "registry.example",
    }),
  },
];

export const layerScanned = (index: number): [string, Body] => [
  "scan",
  {
    case: "layerScanned",
    value: create(LayerScannedSchema, {
      digest: digest(index),
      diffId: digest(index),
      index,
      entryCount: 1234n,
      inflatedBytes: 30n * 1024n * 1024n,
      duration: durationFromMs(300),
    }),
  },
];

export const flattened: [string, Body] = [
  "flatten",
  {
    case: "flattened",
    value: create(FlattenedSchema, {
      inodeCount: 6547n,
      contentBytes: 104857600n,
      hiddenEntryCount: 12n,
      lossCount: 1n,
      duration: durationFromMs(20),
    }),
  },
];

export const stageProgress = (stage: string, done: number, total: number, unit: string): [string, Body] => [
  stage,
  {
    case: "stageProgress",
    value: create(StageProgressSchema, { done: BigInt(done), total: BigInt(total), unit }),
  },
];

export const ext4Built: [string, Body] = [
  "build",
  {
    case: "ext4Built",
    value: create(Ext4BuiltSchema, {
      builder: Builder.DIRECT,
      sizeBytes: 209715200n,
      contentBytesWritten: 104857600n,
      duration: durationFromMs(900),
    }),
  },
];

export const ownershipApplied: [string, Body] = [
  "own",
  {
    case: "ownershipApplied",
    value: create(OwnershipAppliedSchema, {
      inodeCount: 6547n,
      changeCount: 54n,
      deviceCount: 2n,
      xattrCount: 1n,
      duration: durationFromMs(60),
    }),
  },
];

export const agentsSkipped: [string, Body] = [
  "inject",
  {
    case: "agentsInjected",
    value: create(AgentsInjectedSchema, { skipped: true, whySkipped: "--no-agents" }),
  },
];

export const verified: [string, Body] = [
  "verify",
  {
    case: "verified",
    value: create(VerifiedSchema, {
      depth: VerifyDepth.FULL,
      inodeCount: 6547n,
      contentBytesHashed: 104857600n,
      duration: durationFromMs(400),
    }),
  },
];

export const bootSkipped: [string, Body] = [
  "stage-boot",
  { case: "bootArtifactsStaged", value: create(BootArtifactsStagedSchema, { skipped: true }) },
];

export const image = create(ImageSchema, {
  id: "img-0123456789ab",
  name: "debian-bookworm",
  repository: "docker.io/library/debian",
  reference: "docker.io/library/debian:bookworm",
  manifestDigest: digest(255),
  platform: { os: "linux", architecture: "amd64" },
  rootfsPath: "/state/images/img-0123456789ab/rootfs.ext4",
  rootfsSizeBytes: 209715200n,
  rootfsAllocatedBytes: 115343360n,
  builder: Builder.DIRECT,
});

export const published = (alreadyPresent = false): [string, Body] => [
  "publish",
  {
    case: "published",
    value: create(PublishedSchema, {
      image,
      alreadyPresent,
      stageTimes: [
        create(StageTimeSchema, { stage: "resolve", duration: durationFromMs(250) }),
        create(StageTimeSchema, { stage: "build", duration: durationFromMs(900) }),
      ],
      losses: [
        create(LossSchema, {
          kind: "TIME_CLAMPED",
          path: "/old",
          layerDigest: digest(0),
          entryNumber: 3n,
          detail: "1601-01-01 became 1901-12-13",
        }),
      ],
    }),
  },
];

/** A pull of two layers, from the first event to the last. */
export function wholePull(): PullEvent[] {
  return timeline(
    waiting(),
    resolved(2),
    kernelSkipped,
    layerProgress(0, "fetch", 1024 * 1024),
    layerProgress(0, "fetch", 4 * 1024 * 1024),
    layerProgress(0, "fetch", 8 * 1024 * 1024),
    retrying(),
    layerFetched(0),
    layerProgress(0, "scan", 5 * 1024 * 1024),
    layerScanned(0),
    layerFetched(1, true),
    layerScanned(1),
    flattened,
    stageProgress("build", 52428800, 104857600, "bytes"),
    ext4Built,
    ownershipApplied,
    agentsSkipped,
    verified,
    bootSkipped,
    published(),
  );
}
