import type { Digest } from "../base/digest.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Platform } from "./platform.ts";

/** OCI image-spec manifest.md, and Docker's schema 2, which means the same. */
export interface ImageManifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Oldest first. */
  readonly layers: readonly Descriptor[];
}

/** What banger uses of OCI image-spec config.md. */
export interface ImageConfig {
  readonly digest: Digest;
  readonly platform: Platform;
  /** Digests of the inflated layers, oldest first, as many as the manifest has layers. */
  readonly diffIds: readonly Digest[];
  readonly created: string | undefined;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly string[];
  readonly stopSignal: string;
}
