import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { algorithmOf, digestOf, hexOf, type Digest } from "../../../src/base/digest.ts";
import type { Platform } from "../../../src/oci/platform.ts";
import {
  dockerConfig,
  dockerIndex,
  dockerManifest,
  ociConfig,
  ociIndex,
  ociManifest,
} from "../../../src/oci/media-types.ts";

/** A blob or document, with the type it goes by. */
export interface Stored {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/** An image or index with all that hangs on it; `documents` ends with `root`. */
export interface FakeImage {
  readonly root: Stored;
  readonly documents: readonly Stored[];
  readonly blobs: readonly Stored[];
}

export interface LayerSpec {
  /** The inflated bytes; gzipped unless `mediaType` says otherwise. */
  readonly content: Uint8Array;
  readonly mediaType?: string;
  /** Merged into the layer's descriptor. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export interface ImageSpec {
  readonly layers?: readonly (Uint8Array | LayerSpec)[];
  readonly platform?: Platform;
  readonly docker?: boolean;
  /** Merged over the config document, the manifest, and its config descriptor. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly configDescriptor?: Readonly<Record<string, unknown>>;
}

export function stored(mediaType: string, content: Uint8Array | object): Stored {
  const bytes = content instanceof Uint8Array ? Buffer.from(content) : Buffer.from(JSON.stringify(content));
  return { mediaType, bytes, digest: digestOf(bytes) };
}

export function descriptorOf(
  { mediaType, digest, bytes }: Stored,
  extra: object = {},
): Record<string, unknown> {
  return { mediaType, digest, size: bytes.length, ...extra };
}

/** Bytes that no compressor makes much smaller, the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}

const linuxAmd64: Platform = { os: "linux", architecture: "amd64" };

/** A whole image: layers, config and manifest. Layers are any bytes: nothing here reads them as tar. */
export function buildImage(spec: ImageSpec = {}): FakeImage {
  const { layers = [noise(1000)], platform = linuxAmd64, docker = false } = spec;
  const specs = layers.map((layer): LayerSpec => (layer instanceof Uint8Array ? { content: layer } : layer));
  const layerBlobs = specs.map(({ content, mediaType = defaultLayerType(docker) }) =>
    stored(mediaType, mediaType.endsWith("gzip") ? gzipSync(content, { level: 1 }) : content),
  );
  const { osVersion, osFeatures, ...rest } = platform;
  const config = stored(docker ? dockerConfig : ociConfig, {
    ...rest,
    ...(osVersion === undefined ? {} : { "os.version": osVersion }),
    ...(osFeatures === undefined ? {} : { "os.features": osFeatures }),
    rootfs: { type: "layers", diff_ids: specs.map(({ content }) => digestOf(content)) },
    config: { Cmd: ["/bin/sh"], Env: ["PATH=/usr/bin:/bin"] },
    ...spec.config,
  });
  const mediaType = docker ? dockerManifest : ociManifest;
  const manifest = stored(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: descriptorOf(config, spec.configDescriptor),
    layers: layerBlobs.map((blob, at) => descriptorOf(blob, specs[at]?.extra)),
    ...spec.manifest,
  });
  return { root: manifest, documents: [manifest], blobs: [config, ...layerBlobs] };
}

/** Files by name, as `oras push` makes an artifact of them. */
export function buildArtifact(files: Readonly<Record<string, Uint8Array>>): FakeImage {
  const empty = stored("application/vnd.oci.empty.v1+json", {});
  const blobs = Object.values(files).map((content) => stored("application/octet-stream", content));
  const titles = Object.keys(files);
  const manifest = stored(ociManifest, {
    schemaVersion: 2,
    mediaType: ociManifest,
    artifactType: "application/vnd.example.kernel",
    config: descriptorOf(empty),
    layers: blobs.map((blob, at) =>
      descriptorOf(blob, { annotations: { "org.opencontainers.image.title": titles[at] } }),
    ),
  });
  return { root: manifest, documents: [manifest], blobs: [empty, ...blobs] };
}

function defaultLayerType(docker: boolean): string {
  return docker
    ? "application/vnd.docker.image.rootfs.diff.tar.gzip"
    : "application/vnd.oci.image.layer.v1.tar+gzip";
}

export interface IndexMember {
  readonly image: FakeImage;
  /** Left out of the entry where undefined. */
  readonly platform?: Record<string, unknown>;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** An index, OCI's or Docker's. */
export function buildIndex(members: readonly IndexMember[], docker = false): FakeImage {
  const mediaType = docker ? dockerIndex : ociIndex;
  const root = stored(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: members.map(({ image, platform, extra }) =>
      descriptorOf(image.root, { ...(platform === undefined ? {} : { platform }), ...extra }),
    ),
  });
  return {
    root,
    documents: [...members.flatMap(({ image }) => image.documents), root],
    blobs: members.flatMap(({ image }) => image.blobs),
  };
}

/** Writes an OCI image layout; each image under its tag, or with none for the empty one. */
export async function writeLayout(
  folder: string,
  images: Readonly<Record<string, FakeImage>>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const manifests: object[] = [];
  for (const [tag, image] of Object.entries(images)) {
    const annotations = tag === "" ? {} : { annotations: { "org.opencontainers.image.ref.name": tag } };
    manifests.push(descriptorOf(image.root, annotations));
    for (const { digest, bytes } of [...image.documents, ...image.blobs]) {
      const path = join(folder, "blobs", algorithmOf(digest), hexOf(digest));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
  }
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}
