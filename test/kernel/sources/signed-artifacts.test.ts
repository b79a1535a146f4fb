import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../../src/base/error.ts";
import { makeTempDir } from "../../../src/base/files.ts";
import { parsePolicies } from "../../../src/signature/policy.ts";
import { signatureTag } from "../../../src/signature/signature-manifest.ts";
import { buildArtifact, buildIndex, writeLayout, type FakeImage } from "../../fakes/registry/images.ts";
import { FakeRegistry } from "../../fakes/registry/registry.ts";
import {
  keyPair,
  payloadFor,
  signedPayload,
  simpleSigningManifest,
  type KeyPair,
} from "../../signature/cosign-artifacts.ts";
import { bzImage } from "../sample-kernels.ts";
import { makeFetchRig } from "./fetch-rig.ts";

const keys = keyPair();
const artifact = buildArtifact({ kernel: bzImage("6.1.2") });
const index = buildIndex([{ image: artifact, platform: { os: "linux", architecture: "amd64" } }]);

function sign(registry: FakeRegistry, { root }: FakeImage, pair: KeyPair = keys): void {
  const payload = payloadFor(root.digest, `${registry.host}/o/k`);
  const { manifest, blobs } = simpleSigningManifest([signedPayload(pair, payload)]);
  registry.addManifest("o/k", signatureTag(root.digest), manifest);
  for (const { digest, bytes } of blobs) registry.addBlob("o/k", digest, bytes);
}

/** A rig whose policy asks for a signature by `keys` of all in the scope, but of nothing below `exempt`. */
async function rigFor(folder: string, scope: string, exempt = "oci:/nowhere") {
  const key = join(folder, "cosign.pub");
  await writeFile(key, keys.pem);
  return await makeFetchRig(
    {},
    parsePolicies([
      { scope, key },
      { scope: exempt, accept: "unsigned" },
    ]),
  );
}

const kernelBlob = artifact.blobs.at(-1)?.digest ?? "";

test("an artifact of a policy's scope is fetched where its manifest, or the index above it, is signed", async () => {
  await using folder = await makeTempDir("banger-signed-");
  for (const signed of [artifact, index]) {
    await using registry = await FakeRegistry.start();
    registry.add("o/k", "1", index);
    sign(registry, signed);
    await using rig = await rigFor(folder.path, `${registry.host}/o`);
    await rig.fetch({ kind: "artifact", reference: `${registry.host}/o/k:1` });
    assert.equal(registry.asked(new RegExp(kernelBlob)).length, 1);
  }
});

test("one that is not signed, or by another key, is refused before any of its files is asked for", async () => {
  await using folder = await makeTempDir("banger-signed-");
  await using registry = await FakeRegistry.start();
  registry.add("o/k", "1", index);
  await using rig = await rigFor(folder.path, `${registry.host}/o`);
  const source = { kind: "artifact", reference: `${registry.host}/o/k:1` } as const;
  await assert.rejects(rig.fetch(source), (error) => hasReason(error, "SIGNATURE_REQUIRED"));
  sign(registry, artifact, keyPair());
  await assert.rejects(rig.fetch(source), (error) => hasReason(error, "SIGNATURE_INVALID"));
  assert.deepEqual(registry.asked(new RegExp(kernelBlob)), []);
  assert.deepEqual(rig.cached(), { partial: 0, whole: 0 });
});

test("outside of every scope nothing is asked for, and a layout needs a policy that lets it in", async () => {
  await using folder = await makeTempDir("banger-signed-");
  await using registry = await FakeRegistry.start();
  registry.add("o/k", "1", artifact);
  {
    await using rig = await rigFor(folder.path, "registry.example");
    await rig.fetch({ kind: "artifact", reference: `${registry.host}/o/k:1` });
    assert.deepEqual(registry.asked(/\.sig$|referrers/), []);
  }
  const layout = join(folder.path, "layout");
  await writeLayout(layout, { "1": artifact });
  const source = { kind: "artifact", reference: `oci:${layout}:1` } as const;
  await using closed = await rigFor(folder.path, "*");
  await assert.rejects(closed.fetch(source), (error) => hasReason(error, "SIGNATURE_REQUIRED"));
  await using open = await rigFor(folder.path, "*", `oci:${folder.path}`);
  await open.fetch(source);
});
