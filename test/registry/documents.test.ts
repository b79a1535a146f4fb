import assert from "node:assert/strict";
import test from "node:test";
import { createHash } from "node:crypto";
import { hasReason, type BangerError, type Reason } from "../../src/base/error.ts";
import { dockerIndex, dockerManifest, ociIndex, ociManifest } from "../../src/oci/media-types.ts";
import { buildImage, buildIndex, noise, stored, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { pullAll, type PullOptions } from "./pull-all.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const image = buildImage({ layers: [noise(2000)] });

async function withImage(
  root: FakeImage,
  check: (
    registry: FakeRegistry,
    pull: (options?: PullOptions) => ReturnType<typeof pullAll>,
  ) => Promise<void>,
): Promise<void> {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", root);
  await check(registry, (options) => pullAll(`${registry.host}/team/app:1.0`, options));
}

async function failure(pull: Promise<unknown>, reason: Reason): Promise<BangerError> {
  try {
    await pull;
  } catch (error) {
    assert.ok(hasReason(error, reason), `${reason} expected: ${String(error)}`);
    return error;
  }
  return assert.fail(`${reason} expected, but the pull succeeded`);
}

test("R24 pulled by digest, another manifest is refused, valid as it may be", async () => {
  await using registry = await FakeRegistry.start();
  const other = buildImage({ layers: [noise(10, 9)] });
  registry.add("team/app", undefined, image);
  registry.add("team/app", undefined, other);
  registry.addManifest("team/app", image.root.digest, other.root);
  await failure(pullAll(`${registry.host}/team/app@${image.root.digest}`), "DIGEST_MISMATCH");
});

test("R24 a child that is not what the index says is refused", async () => {
  await withImage(buildIndex([{ image, platform: amd64 }]), async (registry, pull) => {
    const twin = stored(ociManifest, Buffer.concat([image.root.bytes.subarray(0, -1), Buffer.from(" }")]));
    registry.addManifest("team/app", image.root.digest, twin);
    await failure(pull(), "SIZE_MISMATCH");
    const changed = Buffer.from(
      image.root.bytes.toString().replace('"schemaVersion":2', '"schemaVersion":3'),
    );
    registry.addManifest("team/app", image.root.digest, stored(ociManifest, changed));
    await failure(pull(), "DIGEST_MISMATCH");
  });
});

test("R25 a Docker-Content-Digest header that contradicts the body is refused, and nonsense in it passed over", async () => {
  const digest = `sha256:${"0".repeat(64)}`;
  await withImage(image, async (registry, pull) => {
    registry.fault({ path: /manifests/, times: 1 }, { headers: { "docker-content-digest": digest } });
    await failure(pull(), "DIGEST_MISMATCH");
    registry.fault({ path: /manifests/, times: 1 }, { headers: { "docker-content-digest": "md5:x" } });
    assert.equal((await pull()).image.manifestDigest, image.root.digest);
    const sha512 = `sha512:${createHash("sha512").update(image.root.bytes).digest("hex")}`;
    registry.fault({ path: /manifests/, times: 1 }, { headers: { "docker-content-digest": sha512 } });
    assert.equal((await pull()).image.manifestDigest, sha512);
  });
});

test("R26 an OCI index leads to its child, and Accept lists all four types", async () => {
  const index = buildIndex([
    { image: buildImage({ layers: [noise(5, 3)] }), platform: { os: "linux", architecture: "s390x" } },
    { image, platform: amd64 },
  ]);
  await withImage(index, async (registry, pull) => {
    const { image: resolved } = await pull();
    assert.equal(resolved.manifestDigest, image.root.digest);
    assert.equal(resolved.indexDigest, index.root.digest);
    const [first, second] = registry.asked(/manifests/);
    assert.match(second?.path ?? "", new RegExp(`${image.root.digest}$`));
    const accepted = first?.headers["accept"]?.split(", ").sort();
    assert.deepEqual(accepted, [ociIndex, ociManifest, dockerIndex, dockerManifest].sort());
  });
});

test("R27 Docker's manifest list and schema 2", async () => {
  const docker = buildImage({ docker: true, layers: [noise(700)] });
  await withImage(buildIndex([{ image: docker, platform: amd64 }], true), async (_registry, pull) => {
    const pulled = await pull();
    assert.equal(pulled.image.manifest.mediaType, dockerManifest);
    assert.deepEqual(pulled.layers, [docker.blobs[1]?.bytes]);
  });
});

test("R28 an index without our platform says what there is", async () => {
  const s390x = { os: "linux", architecture: "s390x" };
  const index = buildIndex([{ image: buildImage({ platform: s390x }), platform: s390x }]);
  await withImage(index, async (_registry, pull) => {
    const error = await failure(pull(), "PLATFORM_UNKNOWN");
    assert.match(error.message, /no image for linux\/amd64; there is linux\/s390x$/);
  });
  await withImage(buildImage({ platform: s390x }), async (_registry, pull) => {
    await failure(pull(), "PLATFORM_UNKNOWN");
  });
});

test("R29 schema 1 is refused as such", async () => {
  const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  const root = stored(type, { schemaVersion: 1, name: "team/app", tag: "1.0", fsLayers: [], history: [] });
  await withImage({ root, documents: [root], blobs: [] }, async (_registry, pull) => {
    const error = await failure(pull(), "MANIFEST_UNSUPPORTED");
    assert.match(error.message, /schema 1/);
  });
});

for (const [name, type] of [
  ["R30 a charset parameter in the Content-Type", `${ociManifest}; charset=utf-8`],
  ["R30 a Content-Type in capitals", ociManifest.toUpperCase()],
  ["R31 no Content-Type: the document decides", undefined],
  ["R31 text/plain: the document decides", "text/plain"],
] as const) {
  test(name, async () => {
    await withImage(image, async (registry, pull) => {
      registry.fault({ path: /manifests/ }, { headers: { "content-type": type } });
      await pull();
    });
  });
}

test("R30 a type with a parameter still is what decides where the document says nothing", async () => {
  const docker = buildImage({ docker: true, manifest: { mediaType: undefined } });
  await withImage(docker, async (registry, pull) => {
    registry.fault(
      { path: /manifests/ },
      { headers: { "content-type": `${dockerManifest}; charset=utf-8` } },
    );
    assert.equal((await pull()).image.manifest.mediaType, dockerManifest);
  });
});

test("R31 a Content-Type that contradicts the document is refused", async () => {
  await withImage(image, async (registry, pull) => {
    registry.fault({ path: /manifests/ }, { headers: { "content-type": dockerIndex } });
    await failure(pull(), "MANIFEST_INVALID");
  });
});

test("R32 an endless manifest is cut off at the limit", async () => {
  await withImage(image, async (registry, pull) => {
    registry.fault({ path: /manifests/ }, { endless: Buffer.alloc(65_536, " ") });
    await failure(pull({ limits: { documentBytes: 200_000 } }), "LIMIT_DOCUMENT_SIZE");
  });
});

test("R32 a config or child that says it is larger than the limit is not asked for", async () => {
  const large = buildImage({ configDescriptor: { size: 5_000_000 } });
  await withImage(large, async (registry, pull) => {
    await failure(pull(), "LIMIT_DOCUMENT_SIZE");
    assert.equal(registry.requests.length, 1);
  });
  const index = buildIndex([{ image, platform: amd64, extra: { size: 5_000_000 } }]);
  await withImage(index, async (registry, pull) => {
    await failure(pull(), "LIMIT_DOCUMENT_SIZE");
    assert.equal(registry.requests.length, 1);
  });
});

test("R39 the urls of a foreign layer are not contacted", async () => {
  await using elsewhere = await FakeRegistry.start();
  const foreign = buildImage({
    docker: true,
    layers: [
      {
        content: noise(50),
        mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        extra: { urls: [`http://${elsewhere.host}/layer`] },
      },
    ],
  });
  await withImage(foreign, async (registry, pull) => {
    await pull();
    const layer = foreign.blobs[1];
    assert.ok(layer !== undefined);
    registry.removeBlob("team/app", layer.digest);
    const error = await failure(pull(), "BLOB_UNKNOWN");
    assert.match(error.message, /non-distributable/);
    assert.equal(elsewhere.requests.length, 0);
  });
});

test("R43 with tag and digest, the digest is fetched", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", buildImage({ layers: [noise(10, 9)] }));
  registry.add("team/app", undefined, image);
  const { image: resolved } = await pullAll(`${registry.host}/team/app:1.0@${image.root.digest}`);
  assert.equal(resolved.manifestDigest, image.root.digest);
  assert.equal(resolved.tag, "1.0");
  assert.equal(registry.asked(/manifests\/1\.0/).length, 0);
});

test("R44 an unknown manifest is named as it was asked for", async () => {
  await withImage(image, async (registry) => {
    const reference = `${registry.host}/team/app:2.0`;
    const error = await failure(pullAll(reference), "MANIFEST_UNKNOWN");
    assert.ok(error.message.includes(reference), error.message);
    assert.equal(error.facts["reference"], reference);
  });
});

test("R47 a layer listed three times is fetched once", async () => {
  const same = noise(900);
  const thrice = buildImage({ layers: [same, same, same] });
  await withImage(thrice, async (registry, pull) => {
    assert.equal((await pull()).layers.length, 3);
    assert.equal(registry.asked(new RegExp(thrice.blobs[1]?.digest ?? "none")).length, 1);
  });
});

test("H13 the nearest variant is taken, and attestations are no images", async () => {
  const arm = (variant: string) => ({ os: "linux", architecture: "arm", variant });
  const [v5, v6, v8] = ["v5", "v6", "v8"].map((variant, seed) => {
    return buildImage({ platform: arm(variant), layers: [noise(9, seed + 1)] });
  });
  assert.ok(v5 !== undefined && v6 !== undefined && v8 !== undefined);
  const index = buildIndex([
    { image: v5, platform: arm("v5") },
    { image: v8, platform: arm("v8") },
    { image: v6, platform: arm("v6") },
    { image, platform: { os: "unknown", architecture: "unknown" } },
  ]);
  await withImage(index, async (_registry, pull) => {
    const { image: resolved } = await pull({ platform: "linux/arm/v7" });
    assert.equal(resolved.manifestDigest, v6.root.digest);
    assert.equal(resolved.availablePlatforms.length, 3);
    const error = await failure(pull(), "PLATFORM_UNKNOWN");
    assert.match(error.message, /there is linux\/arm\/v5, linux\/arm\/v8, linux\/arm\/v6$/);
  });
});

test("H13 an index in an index is followed, one more is not", async () => {
  const inner = buildIndex([{ image, platform: amd64 }]);
  const outer = buildIndex([{ image: inner }]);
  await withImage(outer, async (_registry, pull) => {
    const { image: resolved } = await pull();
    assert.equal(resolved.manifestDigest, image.root.digest);
    assert.equal(resolved.indexDigest, outer.root.digest);
  });
  await withImage(buildIndex([{ image: outer }]), async (_registry, pull) => {
    await failure(pull(), "MANIFEST_UNSUPPORTED");
  });
});

test("an entry without a platform is judged by its config", async () => {
  const arm64 = { os: "linux", architecture: "arm64" };
  const index = buildIndex([{ image: buildImage({ platform: arm64 }) }, { image }]);
  await withImage(index, async (_registry, pull) => {
    assert.equal((await pull()).image.manifestDigest, image.root.digest);
    assert.equal((await pull({ platform: "linux/arm64/v8" })).image.platform.architecture, "arm64");
  });
});

test("a layer embedded in the manifest is not asked for, and one that is a lie is", async () => {
  const content = noise(40);
  const plain = { content, mediaType: "application/vnd.oci.image.layer.v1.tar" };
  const honest = buildImage({ layers: [{ ...plain, extra: { data: content.toString("base64") } }] });
  await withImage(honest, async (registry, pull) => {
    assert.deepEqual((await pull()).layers, [content]);
    assert.equal(registry.asked(/blobs/).length, 1, "the config alone");
  });
  const lie = buildImage({ layers: [{ ...plain, extra: { data: noise(40, 2).toString("base64") } }] });
  await withImage(lie, async (registry, pull) => {
    assert.deepEqual((await pull()).layers, [content]);
    assert.equal(registry.asked(/blobs/).length, 2);
  });
});
