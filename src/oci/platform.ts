/** OCI image-spec, image-index.md: what a manifest's programs run on. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** As `v8`; absent where the architecture has none that matters. */
  readonly variant?: string;
  readonly osVersion?: string;
  readonly osFeatures?: readonly string[];
}
