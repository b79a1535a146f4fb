import assert from "node:assert/strict";
import test from "node:test";
import type { Reason } from "../../src/base/error.ts";
import { ociIndex, ociManifest } from "../../src/oci/media-types.ts";
import { bundleType } from "../../src/signature/bundle.ts";
import { referrersTag, signatureArtifact, signatureTag } from "../../src/signature/signature-manifest.ts";
import { stored, type FakeImage } from "../fakes/registry/images.ts";
import {
  bundleManifest,
  keyPair,
  payloadFor,
  signBytes,
  signedPayload,
  simpleSigningManifest,
} from "./cosign-artifacts.ts";
import {
  check,
  refused,
  serve,
  push,
  indexOf,
  tagScheme,
  name,
  single,
  multi,
  keys,
  type Place,
} from "./signed-registry.ts";

/** Each way in which cosign leaves a signature. */
const good: readonly (readonly [string, FakeImage, Place, RegExp])[] = [
  ["a tag", single, (on) => tagScheme(on, single.root.digest), /^tag sha256-[0-9a-f]+\.sig$/],
  ["a tag, of the index", multi, (on) => tagScheme(on, multi.root.digest), /^tag/],
  ["a tag, of the manifest in the index", multi, (on) => tagScheme(on, single.root.digest), /^tag/],
  [
    "several signatures at a tag, the last of them good",
    single,
    (on) => {
      const payload = payloadFor(single.root.digest, on.repository);
      const strangers = [keyPair(), keyPair("rsa")].map((pair) => signedPayload(pair, payload));
      const others = signedPayload(keys, payloadFor(multi.root.digest, on.repository));
      const artifact = simpleSigningManifest([...strangers, others, signedPayload(keys, payload)]);
      push(on, artifact, signatureTag(single.root.digest));
    },
    /^tag/,
  ],
  [
    "the referrers API",
    single,
    (on) => {
      const signed = signedPayload(keys, payloadFor(single.root.digest, on.repository));
      const artifact = simpleSigningManifest([signed], single.root);
      push(on, artifact);
      const index = indexOf([artifact], signatureArtifact);
      on.registry.serve(`/v2/${name}/referrers/${single.root.digest}`, index.bytes, ociIndex);
    },
    /^referrer sha256:/,
  ],
  [
    "the referrers API, on its second page",
    single,
    (on) => {
      const path = `/v2/${name}/referrers/${single.root.digest}`;
      const signed = signedPayload(keys, payloadFor(single.root.digest, on.repository));
      const artifact = simpleSigningManifest([signed], single.root);
      push(on, artifact);
      on.registry.serve(path, indexOf([artifact], signatureArtifact).bytes, ociIndex);
      const link = `<${path}?artifactType=x&last=1>; rel="next"`;
      const first = indexOf([], signatureArtifact).bytes;
      on.registry.fault({ path: /referrers/, times: 1 }, { body: first, headers: { link } });
    },
    /^referrer sha256:/,
  ],
  [
    "the tag in place of the referrers API",
    single,
    (on) => {
      const signed = signedPayload(keys, payloadFor(single.root.digest, on.repository));
      const artifact = simpleSigningManifest([signed], single.root);
      push(on, artifact);
      on.registry.addManifest(name, referrersTag(single.root.digest), indexOf([artifact], signatureArtifact));
    },
    /^referrer sha256:/,
  ],
  [
    "a bundle, listed by the referrers API",
    multi,
    (on) => {
      const artifact = bundleManifest(keys, multi.root.digest, multi.root);
      push(on, artifact);
      const index = indexOf([artifact], bundleType);
      on.registry.serve(`/v2/${name}/referrers/${multi.root.digest}`, index.bytes, ociIndex);
    },
    /^referrer sha256:/,
  ],
  [
    "a bundle, listed by the tag",
    single,
    (on) => {
      const artifact = bundleManifest(keys, single.root.digest, single.root);
      push(on, artifact);
      on.registry.addManifest(name, referrersTag(single.root.digest), indexOf([artifact], bundleType));
    },
    /^referrer sha256:/,
  ],
];

for (const [way, image, place, where] of good) {
  test(`a signature counts: ${way}`, async () => {
    await using registry = await serve(image);
    const setting = { registry, repository: `${registry.host}/${name}` };
    place(setting);
    const verified = await check(setting);
    assert.match(verified?.place ?? "", where);
    assert.equal(verified?.scope, registry.host);
  });
}

/** Each wrong form, and what is told of it. */
const bad: readonly (readonly [string, Reason, RegExp, FakeImage, Place])[] = [
  [
    "none",
    "SIGNATURE_REQUIRED",
    /is not signed.*none at tag sha256-\w+\.sig, referrers of sha256:\w+, tag/,
    single,
    () => {},
  ],
  ["none of an index", "SIGNATURE_REQUIRED", /is not signed/, multi, () => {}],
  [
    "another key",
    "SIGNATURE_INVALID",
    /not made with the key/,
    single,
    (on) => tagScheme(on, single.root.digest, keyPair()),
  ],
  [
    "another digest",
    "SIGNATURE_INVALID",
    /is about "sha256:/,
    single,
    (on) => {
      const signed = signedPayload(keys, payloadFor(multi.root.digest, on.repository));
      push(on, simpleSigningManifest([signed]), signatureTag(single.root.digest));
    },
  ],
  [
    "another repository",
    "SIGNATURE_INVALID",
    /is about the repository "registry\.example\/other"/,
    single,
    (on) => tagScheme(on, single.root.digest, keys, "registry.example/other"),
  ],
  [
    "a payload that was changed",
    "SIGNATURE_INVALID",
    /not made with the key, or for other bytes/,
    single,
    (on) => {
      const payload = payloadFor(single.root.digest, on.repository);
      const { signature } = signedPayload(keys, payload);
      const changed = Buffer.concat([payload, Buffer.from(" ")]);
      push(on, simpleSigningManifest([{ payload: changed, signature }]), signatureTag(single.root.digest));
    },
  ],
  [
    "a payload whose blob is another",
    "SIGNATURE_INVALID",
    /came with the content of/,
    single,
    (on) => {
      const artifact = simpleSigningManifest([
        signedPayload(keys, payloadFor(single.root.digest, on.repository)),
      ]);
      push(on, artifact, signatureTag(single.root.digest));
      for (const { digest, bytes } of artifact.blobs)
        on.registry.addBlob(name, digest, Buffer.alloc(bytes.length));
    },
  ],
  [
    "a payload whose blob is missing",
    "SIGNATURE_INVALID",
    /404/,
    single,
    (on) => {
      const artifact = simpleSigningManifest([
        signedPayload(keys, payloadFor(single.root.digest, on.repository)),
      ]);
      push(on, { manifest: artifact.manifest, blobs: [] }, signatureTag(single.root.digest));
    },
  ],
  [
    "a payload that is no JSON",
    "SIGNATURE_INVALID",
    /is not JSON/,
    single,
    (on) =>
      push(
        on,
        simpleSigningManifest([signedPayload(keys, Buffer.from("yes"))]),
        signatureTag(single.root.digest),
      ),
  ],
  [
    "no annotation",
    "SIGNATURE_INVALID",
    /not made with the key/,
    single,
    (on) => {
      const payload = payloadFor(single.root.digest, on.repository);
      push(on, simpleSigningManifest([{ payload, signature: "" }]), signatureTag(single.root.digest));
    },
  ],
  [
    "a manifest that is none",
    "SIGNATURE_INVALID",
    /is not JSON/,
    single,
    (on) =>
      on.registry.addManifest(name, signatureTag(single.root.digest), stored(ociManifest, Buffer.from("{"))),
  ],
  [
    "an image in a signature's place",
    "SIGNATURE_REQUIRED",
    /is not signed/,
    single,
    (on) => on.registry.addManifest(name, signatureTag(single.root.digest), single.root),
  ],
  [
    "a bundle of another image",
    "SIGNATURE_INVALID",
    /its statement is about/,
    single,
    (on) => {
      const artifact = bundleManifest(keys, multi.root.digest, single.root);
      push(on, artifact);
      on.registry.addManifest(name, referrersTag(single.root.digest), indexOf([artifact], bundleType));
    },
  ],
  [
    "a statement of another kind by the same key",
    "SIGNATURE_INVALID",
    /slsa\.dev.*which is no signature/,
    single,
    (on) => {
      const statement = { predicateType: "https://slsa.dev/provenance/v1" };
      const artifact = bundleManifest(keys, single.root.digest, single.root, { statement });
      push(on, artifact);
      on.registry.addManifest(name, referrersTag(single.root.digest), indexOf([artifact], bundleType));
    },
  ],
  [
    "a bundle's statement signed as it is, not as DSSE says",
    "SIGNATURE_INVALID",
    /not made with the key/,
    single,
    (on) => {
      const payload = Buffer.from("{}");
      const signatures = [{ sig: signBytes(keys, payload).toString("base64") }];
      const envelope = { payload: payload.toString("base64"), signatures };
      const artifact = bundleManifest(keys, single.root.digest, single.root, { envelope });
      push(on, artifact);
      on.registry.addManifest(name, referrersTag(single.root.digest), indexOf([artifact], bundleType));
    },
  ],
  [
    "referrers that nobody may list",
    "SIGNATURE_REQUIRED",
    /is not signed.*403/,
    single,
    (on) => on.registry.fault({ path: /referrers/ }, { status: 403 }),
  ],
];

for (const [way, reason, says, image, place] of bad) {
  test(`no signature counts, and no layer is asked for: ${way}`, async () => {
    await using registry = await serve(image);
    const setting = { registry, repository: `${registry.host}/${name}` };
    place(setting);
    await refused(setting, reason, says);
  });
}
