import type { Digest } from "../base/digest.ts";
import type { BuilderName } from "../ext4/builder.ts";
import type { BootRecord } from "../kernel/kernel-record.ts";
import type { ImageConfig } from "../oci/manifest.ts";
import type { Platform } from "../oci/platform.ts";

/** What the store keeps, as the rest of the program sees it: no column, no SQL. */

export interface StageTime {
  readonly stage: string;
  readonly durationMs: number;
}

export interface LayerRecord {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly inflatedBytes: number;
  readonly entryCount: number;
}

/** A loss as people see it: names already made printable. */
export interface LossRecord {
  readonly kind: string;
  readonly path: string;
  readonly layerDigest: Digest;
  readonly entryNumber: number;
  readonly detail: string;
}

export type ConfigRecord = Pick<
  ImageConfig,
  "entrypoint" | "cmd" | "env" | "workingDir" | "user" | "labels" | "exposedPorts" | "stopSignal"
>;

/** Something that banger put into an image; see guest/inject.ts. */
export interface InjectedFileRecord {
  readonly path: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly digest: Digest | undefined;
  readonly linkTarget: string;
  readonly replaced: boolean;
}

export interface BootReadinessRecord {
  /** Empty where there is no init, and in records from before this was looked at. */
  readonly initPath: string;
  readonly obstacles: readonly string[];
}

export interface ImageRecord {
  readonly id: string;
  /** Empty once another image of the same repository took the name. */
  readonly name: string;
  readonly repository: string;
  readonly reference: string;
  readonly manifestDigest: Digest;
  readonly indexDigest: Digest | undefined;
  readonly configDigest: Digest;
  readonly platform: Platform;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Everything besides the digest that decides how the image is made; the same key makes the same image. */
  readonly optionsKey: string;
  readonly builder: BuilderName;
  readonly rootfsSizeBytes: number;
  readonly rootfsAllocatedBytes: number;
  /** Of the whole file; undefined where it was not computed. */
  readonly rootfsDigest: Digest | undefined;
  readonly filesystemUuid: string;
  readonly inodeCount: number;
  readonly contentBytes: number;
  /** Oldest first. */
  readonly layers: readonly LayerRecord[];
  readonly losses: readonly LossRecord[];
  readonly config: ConfigRecord;
  readonly stageTimes: readonly StageTime[];
  readonly injectedFiles: readonly InjectedFileRecord[];
  /** What was emptied or taken away so that no two machines have the image's identity. */
  readonly scrubbedPaths: readonly string[];
  readonly bootReadiness: BootReadinessRecord;
  /** The kernel of the store that it was staged with; undefined without one, and once that is gone. */
  readonly kernelId: string | undefined;
  /** Undefined without a kernel. */
  readonly boot: BootRecord | undefined;
}

/** A promise that an image stays, made to somebody who uses it. */
export interface LeaseRecord {
  readonly id: string;
  readonly imageId: string;
  /** As a person would look for it. */
  readonly holder: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What a pull needs to go on after a restart. */
export interface StoredRequest {
  /** Opaque to the store, and without credentials. */
  readonly json: string;
  /** It had credentials, without which it can't go on. */
  readonly hadCredentials: boolean;
}

export type PullState = "waiting" | "running" | "published" | "failed" | "cancelled";

export interface PullRecord {
  readonly id: string;
  readonly reference: string;
  readonly name: string;
  readonly state: PullState;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly manifestDigest: Digest | undefined;
  readonly imageId: string | undefined;
  readonly stageTimes: readonly StageTime[];
  /** Set where it failed. */
  readonly failureReason: string;
  readonly failureMessage: string;
  readonly detached: boolean;
}
