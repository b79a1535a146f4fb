import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";
import {
  bundleType,
  checkStatement,
  openBundle,
  preAuthEncoding,
  signPredicate,
} from "../../src/signature/bundle.ts";
import { isSignedBy, parsePublicKeys } from "../../src/signature/public-keys.ts";
import { referrersTag, signatureTag } from "../../src/signature/signature-manifest.ts";
import { checkSimpleSigning } from "../../src/signature/simple-signing.ts";
import { bundleManifest, keyPair, payloadFor, signBytes, type BundleSpec } from "./cosign-artifacts.ts";
import { stored } from "../fakes/registry/images.ts";

const digest = digestOf(Buffer.from("an image"));
const other = digestOf(Buffer.from("another"));
const claim = { digest, repository: "registry.example/team/app" };
const docker = { digest, repository: "docker.io/library/debian" };

test("payloads that count", () => {
  const repository = claim.repository;
  checkSimpleSigning(payloadFor(digest, repository), claim);
  checkSimpleSigning(payloadFor(digest, `${repository}:1.0`), claim);
  checkSimpleSigning(payloadFor(digest, `${repository}@${digest}`), claim);
  checkSimpleSigning(payloadFor(digest, "Registry.example:443/team/app"), claim);
  // As go-containerregistry calls Docker Hub.
  checkSimpleSigning(payloadFor(digest, "index.docker.io/library/debian"), docker);
});

test("payloads that don't", () => {
  const good = payloadFor(digest, claim.repository).toString();
  const table: readonly (readonly [string | Buffer, RegExp])[] = [
    [payloadFor(other, claim.repository), /is about "sha256:/],
    [payloadFor("sha256:12", claim.repository), /is about "sha256:12"/],
    [payloadFor(digest.toUpperCase(), claim.repository), /is about/],
    [payloadFor(digest, "registry.example/team/other"), /the repository "registry.example\/team\/other"/],
    [payloadFor(digest, "registry.example/team"), /the repository/],
    [payloadFor(digest, "mirror.example/team/app"), /the repository/],
    [payloadFor(digest, "team/app"), /the repository/],
    [payloadFor(digest, `${claim.repository}@${other}`), /is about "registry/],
    [payloadFor(digest, ""), /the repository ""/],
    [payloadFor(digest, "\u001b[2J"), /"\\u001b\[2J"/],
    [payloadFor(digest, claim.repository, { type: "atomic container signature" }), /of the type "atomic/],
    [payloadFor(digest, claim.repository, { image: {} }), /docker-manifest-digest is missing/],
    [payloadFor(digest, claim.repository, { identity: null }), /docker-reference is missing/],
    [good.replace('"critical"', '"Critical"'), /critical.type is missing/],
    [good.replace('{"critical"', `{"critical":{},"critical"`), /twice/],
    [good.slice(0, -1), /is not JSON/],
    ["[]", /is not an object/],
    ["", /is not JSON/],
    [Buffer.from([0xff, 0xfe]), /is not UTF-8/],
  ];
  for (const [payload, message] of table) {
    assert.throws(
      () => checkSimpleSigning(Buffer.from(payload), claim),
      (error: unknown) => hasReason(error, "SIGNATURE_INVALID") && message.test(error.message),
      `${String(payload)} ${message.source}`,
    );
  }
});

function bundleOf(spec: BundleSpec = {}): Buffer {
  const { blobs } = bundleManifest(keyPair(), digest, stored("x", Buffer.from("an image")), spec);
  const bundle = blobs.find(({ mediaType }) => mediaType === bundleType);
  assert.ok(bundle);
  return bundle.bytes;
}

test("bundles that can be opened, and statements that count", () => {
  const signed = openBundle(bundleOf());
  checkStatement(signed.statement, claim);
  assert.equal(preAuthEncoding("t", Buffer.from("é")).toString("latin1"), "DSSEv1 1 t 2 \u00c3\u00a9");
});

test("bundles and statements that are no signature", () => {
  const table: readonly (readonly [BundleSpec, RegExp])[] = [
    [{ bundle: { mediaType: "application/vnd.dev.sigstore.bundle.v0.4+json" } }, /is of the type/],
    [{ bundle: { verificationMaterial: { certificate: { rawBytes: "AA==" } } } }, /with a certificate/],
    [{ bundle: { verificationMaterial: { x509CertificateChain: {} } } }, /with a certificate/],
    [{ bundle: { dsseEnvelope: null, messageSignature: {} } }, /no DSSE envelope/],
    [{ envelope: { payloadType: "text/plain" } }, /holds "text\/plain"/],
    [{ envelope: { signatures: [] } }, /0 signatures/],
    [{ envelope: { signatures: [{ sig: "AA==" }, { sig: "AA==" }] } }, /2 signatures/],
    [{ envelope: { signatures: [{ sig: "not base64" }] } }, /is not base64/],
    [{ envelope: { payload: "{}" } }, /is not base64/],
    [{ statement: { _type: "https://in-toto.io/Link/v1" } }, /is of the type/],
    [{ statement: { predicateType: "https://slsa.dev/provenance/v1" } }, /which is no signature/],
    [{ statement: { subject: [] } }, /is about ""/],
    [{ statement: { subject: [{ digest: { sha256: other.slice(7) } }] } }, /is about/],
    [{ statement: { subject: [{ digest: { sha512: digest.slice(7) } }] } }, /is about/],
    [{ statement: { subject: [{ digest: { sha256: digest } }] } }, /is about/],
  ];
  for (const [spec, message] of table) {
    assert.throws(
      () => checkStatement(openBundle(bundleOf(spec)).statement, claim),
      (error: unknown) => hasReason(error, "SIGNATURE_INVALID") && message.test(error.message),
      `${JSON.stringify(spec)} ${message.source}`,
    );
  }
  assert.equal(signPredicate, "https://sigstore.dev/cosign/sign/v1");
});

test("each kind of key verifies what it signed, and nothing else", () => {
  const bytes = Buffer.from("some bytes");
  for (const kind of ["ecdsa", "rsa"] as const) {
    const pair = keyPair(kind);
    const keys = parsePublicKeys(pair.pem);
    const signature = signBytes(pair, bytes);
    assert.ok(isSignedBy(keys, bytes, signature), kind);
    assert.ok(
      isSignedBy([...parsePublicKeys(keyPair(kind).pem), ...keys], bytes, signature),
      `${kind}, of two`,
    );
    assert.ok(!isSignedBy(keys, Buffer.from("other bytes"), signature), `${kind}, other bytes`);
    assert.ok(!isSignedBy(parsePublicKeys(keyPair(kind).pem), bytes, signature), `${kind}, other key`);
    assert.ok(!isSignedBy(keys, bytes, Buffer.alloc(0)), `${kind}, no signature`);
    assert.ok(!isSignedBy(keys, bytes, signature.subarray(1)), `${kind}, cut`);
    signature.writeUInt8(signature.readUInt8(12) ^ 1, 12);
    assert.ok(!isSignedBy(keys, bytes, signature), `${kind}, a bit turned`);
  }
});

test("files that hold no key to verify with", () => {
  const pem = (
    type: "spki" | "pkcs8",
    key: { export: (o: { type: typeof type; format: "pem" }) => string | Buffer },
  ) => key.export({ type, format: "pem" }).toString();
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const table: readonly (readonly [string, RegExp])[] = [
    ["", /no PEM block/],
    ["-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", /no PEM block/],
    ["-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", /./],
    [pem("pkcs8", keyPair().privateKey), /private key/],
    [
      "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAA==\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
      /private key/,
    ],
    [pem("spki", p384.publicKey), /secp384r1, not on P-256/],
    [pem("spki", short.publicKey), /1024 bits/],
    [pem("spki", generateKeyPairSync("ed25519").publicKey), /Ed25519/],
    [pem("spki", generateKeyPairSync("x25519").publicKey), /x25519/],
  ];
  for (const [text, message] of table) assert.throws(() => parsePublicKeys(text), { message }, text);
});

test("tags that belong to a digest", () => {
  assert.equal(signatureTag(digest), `sha256-${digest.slice(7)}.sig`);
  assert.equal(referrersTag(digest), `sha256-${digest.slice(7)}`);
  const long = digestOf(Buffer.from("x"), "sha512");
  assert.equal(referrersTag(long), `sha512-${long.slice(7, 71)}`);
});
