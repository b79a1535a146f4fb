import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../../src/base/digest.ts";
import { BangerError, type Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { ociIndex } from "../../src/oci/media-types.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { openSource, type OpenSourceOptions } from "../../src/registry/open-source.ts";
import { checkSignature, type VerifiedSignature } from "../../src/signature/check-signature.ts";
import { parsePolicies } from "../../src/signature/policy.ts";
import { signatureTag } from "../../src/signature/signature-manifest.ts";
import { recordingClock } from "../base/recording-clock.ts";
import {
  buildImage,
  buildIndex,
  descriptorOf,
  noise,
  stored,
  type FakeImage,
} from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import {
  keyPair,
  payloadFor,
  signedPayload,
  simpleSigningManifest,
  type KeyPair,
  type SignatureArtifact,
} from "./cosign-artifacts.ts";

export const name = "team/app";
export const single = buildImage({ layers: [noise(1000)] });
export const multi = buildIndex([{ image: single, platform: { os: "linux", architecture: "amd64" } }]);
export const keys = keyPair();

export interface Setting {
  readonly registry: FakeRegistry;
  /** As payloads name it. */
  readonly repository: string;
}

export async function serve(image: FakeImage): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  registry.add(name, "1", image);
  return registry;
}

export function push({ registry }: Setting, { manifest, blobs }: SignatureArtifact, tag?: string): void {
  registry.addManifest(name, manifest.digest, manifest);
  if (tag !== undefined) registry.addManifest(name, tag, manifest);
  for (const { digest, bytes } of blobs) registry.addBlob(name, digest, bytes);
}

/** Lists manifests as the referrers of an image. */
export function indexOf(
  artifacts: readonly SignatureArtifact[],
  artifactType: string,
): ReturnType<typeof stored> {
  const manifests = artifacts.map(({ manifest }) => descriptorOf(manifest, { artifactType }));
  return stored(ociIndex, { schemaVersion: 2, mediaType: ociIndex, manifests });
}

export function tagScheme(
  setting: Setting,
  digest: Digest,
  pair: KeyPair = keys,
  repository = setting.repository,
): void {
  const signed = signedPayload(pair, payloadFor(digest, repository));
  push(setting, simpleSigningManifest([signed]), signatureTag(digest));
}

export interface CheckOptions {
  readonly pem?: string;
  readonly scope?: string;
  readonly tag?: string;
  readonly open?: OpenSourceOptions;
  readonly limits?: Partial<typeof defaultLimits>;
}

export async function check(
  { registry }: Setting,
  options: CheckOptions = {},
): Promise<VerifiedSignature | undefined> {
  await using folder = await makeTempDir("banger-signature-");
  const key = join(folder.path, "cosign.pub");
  await writeFile(key, options.pem ?? keys.pem);
  const limits = { ...defaultLimits, ...options.limits };
  const reference = `${registry.host}/${name}:${options.tag ?? "1"}`;
  await using source = openSource(reference, { limits, clock: recordingClock(), ...options.open });
  const sourceOptions = { signal: new AbortController().signal, onRetry: () => {} };
  const image = await source.resolve(parsePlatform("linux/amd64"), sourceOptions);
  const policies = parsePolicies([{ scope: options.scope ?? registry.host, key }]);
  return await checkSignature({ image, policies, documents: source.documents, limits, ...sourceOptions });
}

export async function refused(
  setting: Setting,
  reason: Reason,
  says: RegExp,
  options: CheckOptions = {},
): Promise<void> {
  await assert.rejects(check(setting, options), (error: unknown) => {
    assert.ok(error instanceof BangerError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, says);
    return true;
  });
  const layers = single.blobs.slice(1).map(({ digest }) => digest);
  for (const digest of layers) assert.deepEqual(setting.registry.asked(new RegExp(`blobs/${digest}`)), []);
}

export type Place = (setting: Setting) => void;
