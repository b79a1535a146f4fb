import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestOf, hexOf } from "../../base/digest.ts";
import { hostArchitecture } from "../../kernel/architecture.ts";
import { packLayer, type TarEntry } from "./layers.ts";

interface WrittenBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const media = {
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  config: "application/vnd.oci.image.config.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
} as const;

export interface DemoLayout {
  /** As `image pull` takes it. */
  readonly reference: string;
  readonly platform: string;
  readonly compressedBytes: number;
}

/** Writes an OCI image layout (image-spec, image-layout.md) of those layers, oldest first, into a new folder. */
export async function writeLayout(
  folder: string,
  layers: readonly (readonly TarEntry[])[],
): Promise<DemoLayout> {
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const architecture = hostArchitecture();
  const diffIds: string[] = [];
  const written: WrittenBlob[] = [];
  for (const entries of layers) {
    const tar = await packLayer(entries);
    diffIds.push(digestOf(tar));
    written.push(await writeBlob(blobs, media.layer, gzipSync(tar)));
  }
  const config = await writeBlob(
    blobs,
    media.config,
    json({
      architecture,
      os: "linux",
      config: { Cmd: ["/bin/sh"], Env: ["PATH=/usr/bin:/bin"], WorkingDir: "/root" },
      rootfs: { type: "layers", diff_ids: diffIds },
    }),
  );
  const manifest = await writeBlob(
    blobs,
    media.manifest,
    json({ schemaVersion: 2, mediaType: media.manifest, config, layers: written }),
  );
  const tagged = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "latest" } };
  await writeFile(
    join(folder, "index.json"),
    json({ schemaVersion: 2, mediaType: media.index, manifests: [tagged] }),
  );
  await writeFile(join(folder, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  return {
    reference: `oci:${folder}:latest`,
    platform: `linux/${architecture}`,
    compressedBytes: written.reduce((sum, { size }) => sum + size, 0),
  };
}

async function writeBlob(blobs: string, mediaType: string, content: Uint8Array): Promise<WrittenBlob> {
  const digest = digestOf(content);
  await writeFile(join(blobs, hexOf(digest)), content);
  return { mediaType, digest, size: content.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
