/** What the metadata pass writes, and where. */
export interface MetadataPlan {
  readonly sizeBytes: number;
}
