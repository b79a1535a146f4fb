import type { Limits } from "../base/limits.ts";
import type { ImageSource } from "../oci/image-source.ts";
import { openSource, type RegistryAccess } from "../registry/open-source.ts";
import type { PullRequest } from "./request.ts";

export interface SourceDeps {
  readonly limits: Limits;
  /** How registries are reached; anonymously and directly where undefined. */
  readonly registry?: RegistryAccess;
}

/** Opens what a request names, with the credentials that came with it. The caller disposes of it. */
export function openPullSource(deps: SourceDeps, { reference, credentials }: PullRequest): ImageSource {
  return openSource(reference, { ...deps.registry, limits: deps.limits, credentials });
}
