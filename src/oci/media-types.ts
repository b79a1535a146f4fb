/** Media types of OCI image-spec media-types.md, and those of Docker's schema 2 that mean the same. */

export const ociIndex = "application/vnd.oci.image.index.v1+json";
export const ociManifest = "application/vnd.oci.image.manifest.v1+json";
export const ociConfig = "application/vnd.oci.image.config.v1+json";
export const dockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";
export const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
export const dockerConfig = "application/vnd.docker.container.image.v1+json";

/** What a registry is told that we understand. */
export const acceptedDocuments: readonly string[] = [ociIndex, ociManifest, dockerIndex, dockerManifest];

export type DocumentKind = "index" | "manifest";

/** What a media type says a document is; undefined for one that says nothing of the kind. */
export function documentKind(mediaType: string): DocumentKind | undefined {
  if (mediaType === ociIndex || mediaType === dockerIndex) return "index";
  if (mediaType === ociManifest || mediaType === dockerManifest) return "manifest";
  return undefined;
}

/** Docker's schema 1, signed or not: its layers have no digests of their content. */
export function isSchema1(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/.test(mediaType);
}

/**
 * Early Docker pushed configs as octet-stream (distribution issue 1621), and moby still takes them; whether the
 * bytes are an image's config shows when they are parsed.
 */
export function isImageConfig(mediaType: string): boolean {
  return mediaType === ociConfig || mediaType === dockerConfig || mediaType === "application/octet-stream";
}

const layer =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;

export function isLayer(mediaType: string): boolean {
  return layer.test(mediaType);
}

/** ocicrypt marks an encrypted layer by a suffix to the type of what is inside. */
export function isEncrypted(mediaType: string): boolean {
  return mediaType.endsWith("+encrypted") || mediaType.endsWith(".encrypted");
}

/** A layer that registries need not have: its descriptor names other places, which are not contacted. */
export function isNonDistributable(mediaType: string): boolean {
  return mediaType.includes(".nondistributable.") || mediaType.includes(".foreign.");
}

/** The type of a Content-Type header, without its parameters (RFC 9110, 8.3.1), in lower case. */
export function bareMediaType(header: string | undefined): string {
  return (header ?? "").split(";", 1).join("").trim().toLowerCase();
}
