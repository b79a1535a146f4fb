import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import type { Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { ociIndex } from "../../src/oci/media-types.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { openSource } from "../../src/registry/open-source.ts";
import { bundleType } from "../../src/signature/bundle.ts";
import { checkSignature } from "../../src/signature/check-signature.ts";
import { parsePolicies } from "../../src/signature/policy.ts";
import { signatureTag } from "../../src/signature/signature-manifest.ts";
import type { FakeRegistry, Fault } from "../fakes/registry/registry.ts";
import {
  bundleManifest,
  keyPair,
  payloadFor,
  signedPayload,
  simpleSigningManifest,
} from "./cosign-artifacts.ts";
import { check, refused, serve, push, indexOf, tagScheme, name, single, keys } from "./signed-registry.ts";

test("a key that can't be read lets nothing in, and is told before anything is asked", async () => {
  await using registry = await serve(single);
  const setting = { registry, repository: `${registry.host}/${name}` };
  tagScheme(setting, single.root.digest);
  await refused(setting, "SIGNATURE_INVALID", /cosign\.pub can't be used.*no PEM block/, { pem: "nothing" });
  await using source = openSource(`${registry.host}/${name}:1`);
  const options = { signal: new AbortController().signal, onRetry: () => {}, limits: defaultLimits };
  const image = await source.resolve(parsePlatform("linux/amd64"), options);
  const policies = parsePolicies([{ scope: "*", key: "/nowhere/cosign.pub" }]);
  await assert.rejects(checkSignature({ image, policies, documents: source.documents, ...options }), {
    reason: "SIGNATURE_INVALID",
    message: /\/nowhere\/cosign\.pub can't be used.*ENOENT/,
  });
  assert.deepEqual(registry.asked(/\.sig$/), []);
});

test("outside of its scope nothing is asked for", async () => {
  await using registry = await serve(single);
  const setting = { registry, repository: `${registry.host}/${name}` };
  assert.equal(await check(setting, { scope: "registry.example" }), undefined);
  assert.equal(await check(setting, { scope: `${registry.host}/team/other` }), undefined);
  assert.deepEqual(registry.asked(/\.sig$|referrers/), []);
});

test("a registry that fails is told as such, and not as a missing signature", async () => {
  const faults: readonly (readonly [Fault, Reason])[] = [
    [{ status: 503 }, "REGISTRY_UNAVAILABLE"],
    [{ status: 429 }, "RATE_LIMITED"],
    [{ reset: true }, "REGISTRY_UNAVAILABLE"],
  ];
  for (const [fault, reason] of faults) {
    await using registry = await serve(single);
    registry.fault({ path: /\.sig$/ }, fault);
    await refused({ registry, repository: `${registry.host}/${name}` }, reason, /./);
  }
});

test("how many signatures are looked at, and how long one may be, is bounded", async () => {
  await using registry = await serve(single);
  const setting = { registry, repository: `${registry.host}/${name}` };
  const payload = payloadFor(single.root.digest, setting.repository);
  const stranger = signedPayload(keyPair(), payload);
  const many = [...Array.from({ length: 5 }, () => stranger), signedPayload(keys, payload)];
  push(setting, simpleSigningManifest(many), signatureTag(single.root.digest));
  assert.ok(await check(setting, { limits: { signatures: 6 } }));
  await refused(setting, "SIGNATURE_INVALID", /none of the first 5 signatures/, {
    limits: { signatures: 5 },
  });
  const before = registry.asked(/blobs/).length;
  await refused(setting, "SIGNATURE_INVALID", /the limit is 100/, { limits: { signatureBytes: 100 } });
  assert.equal(registry.asked(/blobs/).length, before + 1, "the config's alone");
});

test("the signature may come from a mirror, and counts for the registry", async () => {
  await using registry = await serve(single);
  await using mirror = await serve(single);
  await using certs = await makeTempDir("banger-certs-");
  const setting = { registry, repository: `${registry.host}/${name}` };
  await writeHosts(certs.path, registry, mirror);
  const open = { certsDirs: [certs.path] };
  tagScheme({ registry: mirror, repository: "" }, single.root.digest, keys, setting.repository);
  assert.ok(await check(setting, { open }));
  assert.deepEqual(registry.asked(/\.sig$/), []);
  // For the mirror's own name it is worth nothing.
  tagScheme({ registry: mirror, repository: "" }, single.root.digest, keys, `${mirror.host}/${name}`);
  await refused(setting, "SIGNATURE_INVALID", /the repository/, { open });
});

test("a mirror whose signature is an old one is no reason to refuse: the registry is asked, once", async () => {
  await using registry = await serve(single);
  await using mirror = await serve(single);
  await using certs = await makeTempDir("banger-certs-");
  const setting = { registry, repository: `${registry.host}/${name}` };
  await writeHosts(certs.path, registry, mirror);
  const open = { certsDirs: [certs.path] };
  tagScheme({ registry: mirror, repository: "" }, single.root.digest, keyPair(), setting.repository);
  tagScheme(setting, single.root.digest);
  assert.ok(await check(setting, { open }));
  assert.equal(mirror.asked(/\.sig$/).length, 1);
  assert.equal(registry.asked(/\.sig$/).length, 1);
  // One that is no better there refuses, and so does the mirror's where the registry can't be asked.
  tagScheme(setting, single.root.digest, keyPair());
  await refused(setting, "SIGNATURE_INVALID", /not made with the key/, { open });
  assert.equal(registry.asked(/\.sig$/).length, 2);
  registry.fault({ path: /\.sig$/ }, { reset: true });
  await refused(setting, "SIGNATURE_INVALID", /not made with the key.*the registry itself: /, { open });
});

test("a mirror without the signature is no reason to refuse: the registry is asked", async () => {
  await using registry = await serve(single);
  await using mirror = await serve(single);
  await using certs = await makeTempDir("banger-certs-");
  const setting = { registry, repository: `${registry.host}/${name}` };
  await writeHosts(certs.path, registry, mirror);
  const artifact = bundleManifest(keys, single.root.digest, single.root);
  push(setting, artifact);
  const path = `/v2/${name}/referrers/${single.root.digest}`;
  mirror.serve(path, indexOf([], bundleType).bytes, ociIndex);
  registry.serve(path, indexOf([artifact], bundleType).bytes, ociIndex);
  assert.ok(await check(setting, { open: { certsDirs: [certs.path] } }));
});

async function writeHosts(folder: string, registry: FakeRegistry, mirror: FakeRegistry): Promise<void> {
  const place = join(folder, registry.host);
  await mkdir(place);
  const text = `server = "http://${registry.host}"\n[host."http://${mirror.host}"]\n  capabilities = ["pull", "resolve"]\n`;
  await writeFile(join(place, "hosts.toml"), text);
}
