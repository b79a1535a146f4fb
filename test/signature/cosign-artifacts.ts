import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { ociConfig, ociManifest } from "../../src/oci/media-types.ts";
import { hexOf, type Digest } from "../../src/base/digest.ts";
import { bundleType, preAuthEncoding, signPredicate } from "../../src/signature/bundle.ts";
import { signatureArtifact } from "../../src/signature/signature-manifest.ts";
import { simpleSigningType } from "../../src/signature/simple-signing.ts";
import { descriptorOf, stored, type Stored } from "../fakes/registry/images.ts";

/** A manifest of signatures with its blobs, as cosign would push it. */
export interface SignatureArtifact {
  readonly manifest: Stored;
  readonly blobs: readonly Stored[];
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** As `cosign.pub`. */
  readonly pem: string;
}

export type KeyKind = "ecdsa" | "rsa";

export function keyPair(kind: KeyKind = "ecdsa"): KeyPair {
  const { publicKey, privateKey } =
    kind === "ecdsa"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { privateKey, pem: publicKey.export({ type: "spki", format: "pem" }) };
}

export function signBytes({ privateKey }: KeyPair, bytes: Uint8Array): Buffer {
  return sign("sha256", bytes, privateKey);
}

/** Go's encoding of sigstore's payload.SimpleContainerImage, key by key. */
export function payloadFor(digest: string, repository: string, more: object = {}): Buffer {
  const critical = {
    identity: { "docker-reference": repository },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
    ...more,
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

export interface SignedPayload {
  readonly payload: Buffer;
  /** Base64, the annotation. */
  readonly signature: string;
}

export function signedPayload(keys: KeyPair, payload: Buffer): SignedPayload {
  return { payload, signature: signBytes(keys, payload).toString("base64") };
}

/** What `cosign sign --new-bundle-format=false` pushes; listed as a referrer where there is a subject. */
export function simpleSigningManifest(
  payloads: readonly SignedPayload[],
  subject?: Stored,
): SignatureArtifact {
  const layers = payloads.map(({ payload }) => stored(simpleSigningType, payload));
  const config = stored(subject === undefined ? ociConfig : signatureArtifact, {
    architecture: "",
    created: "0001-01-01T00:00:00Z",
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
  });
  const manifest = stored(ociManifest, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptorOf(config),
    layers: layers.map((layer, at) =>
      descriptorOf(layer, {
        annotations: { "dev.cosignproject.cosign/signature": payloads[at]?.signature ?? "" },
      }),
    ),
    ...(subject === undefined ? {} : { subject: descriptorOf(subject) }),
  });
  return { manifest, blobs: [config, ...layers] };
}

export interface BundleSpec {
  readonly statement?: Readonly<Record<string, unknown>>;
  readonly bundle?: Readonly<Record<string, unknown>>;
  readonly envelope?: Readonly<Record<string, unknown>>;
}

/** What `cosign sign` pushes by default since version 3. */
export function bundleManifest(
  keys: KeyPair,
  digest: Digest,
  subject: Stored,
  spec: BundleSpec = {},
): SignatureArtifact {
  const payloadType = "application/vnd.in-toto+json";
  const statement = Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { sha256: hexOf(digest) }, annotations: {} }],
      predicateType: signPredicate,
      predicate: {},
      ...spec.statement,
    }),
  );
  const sig = signBytes(keys, preAuthEncoding(payloadType, statement)).toString("base64");
  const bundle = stored(bundleType, {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: "nowhere" } },
    dsseEnvelope: {
      payload: statement.toString("base64"),
      payloadType,
      signatures: [{ sig }],
      ...spec.envelope,
    },
    ...spec.bundle,
  });
  const config = stored("application/vnd.oci.empty.v1+json", Buffer.from("{}"));
  const manifest = stored(ociManifest, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { ...descriptorOf(config), artifactType: bundleType },
    artifactType: bundleType,
    layers: [descriptorOf(bundle)],
    subject: descriptorOf(subject),
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": signPredicate,
    },
  });
  return { manifest, blobs: [config, bundle] };
}
