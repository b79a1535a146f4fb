import assert from "node:assert/strict";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { parseConfig } from "../../src/oci/config.ts";
import { openDocument } from "../../src/oci/document.ts";
import { parseIndex, rankEntries } from "../../src/oci/image-index.ts";
import { parseManifest, type ImageManifest } from "../../src/oci/manifest.ts";
import {
  bareMediaType,
  isLayer,
  dockerManifest,
  ociConfig,
  ociIndex,
  ociManifest,
} from "../../src/oci/media-types.ts";
import { parsePlatform } from "../../src/oci/platform.ts";

const digest = `sha256:${"a".repeat(64)}`;
const config = { mediaType: ociConfig, digest, size: 2 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 3 };
const manifest = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [] };

function bytes(value: unknown): Buffer {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
}

function parse(value: unknown, declared = ""): ImageManifest {
  const opened = openDocument(bytes(value), declared, "it");
  assert.equal(opened.kind, "manifest");
  return parseManifest(opened.root, opened.mediaType, "it", defaultLimits);
}

function refused(read: () => unknown, reason: Reason, message = /^/, what = ""): void {
  assert.throws(
    read,
    (error: unknown) => {
      assert.ok(hasReason(error, reason), `${reason} expected for ${what}: ${String(error)}`);
      assert.match(error.message, message);
      return true;
    },
    what,
  );
}

test("a manifest, announced rightly, loosely or not at all", () => {
  for (const declared of [ociManifest, "", "text/plain", "application/json"]) {
    const { layers, mediaType } = parse(manifest, declared);
    assert.deepEqual([layers.length, mediaType], [1, ociManifest]);
  }
  assert.equal(parse({ ...manifest, mediaType: undefined }, dockerManifest).mediaType, dockerManifest);
  assert.equal(parse({ ...manifest, mediaType: undefined }).mediaType, ociManifest);
  assert.equal(parse({ ...manifest, extra: [1], layers: [] }).layers.length, 0, "unknown keys are ignored");
});

test("documents that could be taken for something else are refused", () => {
  const table: readonly (readonly [value: unknown, declared: string, reason: Reason])[] = [
    [{ ...manifest, manifests: [] }, "", "MANIFEST_INVALID"],
    [{ ...index, layers: [] }, "", "MANIFEST_INVALID"],
    [{ ...index, config }, "", "MANIFEST_INVALID"],
    [manifest, ociIndex, "MANIFEST_INVALID"],
    [manifest, dockerManifest, "MANIFEST_INVALID"],
    [{ ...manifest, mediaType: undefined }, ociIndex, "MANIFEST_INVALID"],
    [{ ...manifest, mediaType: ociIndex }, "", "MANIFEST_INVALID"],
    [{ ...index, mediaType: ociManifest }, "", "MANIFEST_INVALID"],
    [{ schemaVersion: 2 }, "", "MANIFEST_INVALID"],
    [{ ...manifest, schemaVersion: 3 }, "", "MANIFEST_INVALID"],
    [{ ...manifest, schemaVersion: undefined }, "", "MANIFEST_INVALID"],
    [{ ...manifest, schemaVersion: "2" }, "", "MANIFEST_INVALID"],
    [JSON.stringify(manifest) + "{}", "", "MANIFEST_INVALID"],
    [JSON.stringify(manifest).replace("{", '{"layers":[],'), "", "MANIFEST_INVALID"],
    [{ ...manifest, schemaVersion: 1 }, "", "MANIFEST_UNSUPPORTED"],
    [
      { ...manifest, mediaType: "application/vnd.docker.distribution.manifest.v1+json" },
      "",
      "MANIFEST_UNSUPPORTED",
    ],
    ["not json", "application/vnd.docker.distribution.manifest.v1+prettyjws", "MANIFEST_UNSUPPORTED"],
    [{ ...manifest, mediaType: "application/vnd.oci.artifact.manifest.v1+json" }, "", "MANIFEST_UNSUPPORTED"],
    [[], "", "MANIFEST_INVALID"],
    ["null", "", "MANIFEST_INVALID"],
  ];
  for (const [value, declared, reason] of table) {
    refused(() => openDocument(bytes(value), declared, "it"), reason, /^/, JSON.stringify([value, declared]));
  }
});

test("manifests of what is no image are refused with what it is", () => {
  const withConfig = (mediaType: string): unknown => ({ ...manifest, config: { ...config, mediaType } });
  const withLayer = (mediaType: string): unknown => ({ ...manifest, layers: [{ ...layer, mediaType }] });
  const table: readonly (readonly [value: unknown, message: RegExp])[] = [
    [withConfig("application/vnd.cncf.helm.config.v1+json"), /a Helm chart/],
    [withConfig("application/vnd.docker.plugin.v1+json"), /a Docker plugin/],
    [withConfig("application/vnd.oci.empty.v1+json"), /an artifact of type/],
    [
      { ...manifest, config: { ...config, mediaType: "x/y" }, artifactType: "a/wasm" },
      /artifact of type "a\/wasm"/,
    ],
    [withLayer("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), /encrypted layers/],
    [withLayer("application/vnd.in-toto+json"), /an attestation/],
    [withLayer("application/octet-stream"), /an artifact of type/],
  ];
  for (const [value, message] of table) refused(() => parse(value), "MANIFEST_UNSUPPORTED", message);
});

test("descriptors that can't be are refused", () => {
  for (const wrong of [
    { digest: "sha256:../../etc/passwd" },
    { digest: `md5:${"a".repeat(32)}` },
    { digest: `sha256:${"A".repeat(64)}` },
    { digest: undefined },
    { size: -1 },
    { size: 1.5 },
    { size: 2 ** 53 },
    { size: "3" },
    { size: undefined },
    { mediaType: undefined },
    { urls: "http://x" },
  ]) {
    refused(
      () => parse({ ...manifest, layers: [{ ...layer, ...wrong }] }),
      "MANIFEST_INVALID",
      /^/,
      JSON.stringify(wrong),
    );
  }
});

test("data is kept where it hashes, and left out where not", () => {
  const content = Buffer.from("hello");
  const honest = { ...layer, digest: digestOf(content), size: 5, data: content.toString("base64") };
  assert.deepEqual(parse({ ...manifest, layers: [honest] }).layers[0]?.data, content);
  for (const lie of [{ size: 6 }, { digest }, { data: "aGVsbG8h" }, { data: "%%%" }]) {
    assert.equal(parse({ ...manifest, layers: [{ ...honest, ...lie }] }).layers[0]?.data, undefined);
  }
});

test("limits on layers and entries", () => {
  const layers = Array.from({ length: 1001 }, () => layer);
  refused(() => parse({ ...manifest, layers }), "LIMIT_LAYERS");
  assert.equal(parse({ ...manifest, layers: layers.slice(1) }).layers.length, 1000);
  const manifests = Array.from({ length: 129 }, () => ({ mediaType: ociManifest, digest, size: 1 }));
  const read = (count: number): number => {
    const { root } = openDocument(bytes({ ...index, manifests: manifests.slice(0, count) }), "", "it");
    return parseIndex(root, "it", defaultLimits).length;
  };
  assert.equal(read(128), 128);
  refused(() => read(129), "LIMIT_INDEX_ENTRIES");
});

test("an index's entries: what is no image is left out, the best comes first", () => {
  const entry = (platform: object | undefined, extra: object = {}): object => {
    return {
      mediaType: ociManifest,
      digest,
      size: 1,
      ...(platform === undefined ? {} : { platform }),
      ...extra,
    };
  };
  const amd64 = { os: "linux", architecture: "amd64" };
  const { root } = openDocument(
    bytes({
      ...index,
      manifests: [
        entry({ os: "unknown", architecture: "unknown" }),
        entry(amd64, { annotations: { "vnd.docker.reference.type": "attestation-manifest" } }),
        entry(amd64, { artifactType: "a/signature" }),
        entry(amd64, { mediaType: "a/b" }),
        entry(undefined, { size: 10 }),
        entry(undefined, { size: 11, mediaType: ociIndex }),
        entry({ ...amd64, variant: "v1" }, { size: 12 }),
        entry({ ...amd64, variant: "v3" }, { size: 13 }),
        entry({ ...amd64, variant: "v2" }, { size: 14 }),
        entry({ ...amd64, variant: "v4" }, { size: 15 }),
        entry({ os: "windows", architecture: "amd64", "os.version": "10" }, { size: 16 }),
      ],
    }),
    ociIndex,
    "it",
  );
  const entries = parseIndex(root, "it", defaultLimits);
  assert.deepEqual(
    entries.map(({ descriptor }) => descriptor.size),
    [10, 11, 12, 13, 14, 15, 16],
  );
  const ranked = rankEntries(entries, parsePlatform("linux/amd64/v3"));
  assert.deepEqual(
    ranked.map(({ descriptor }) => descriptor.size),
    [13, 14, 12, 11, 10],
  );
});

const plainConfig = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] } };

test("a config, with what it leaves out and what old tools wrote", () => {
  const parseIt = (value: unknown): ReturnType<typeof parseConfig> =>
    parseConfig(bytes(value), digestOf(bytes("")), 1);
  const bare = parseIt({ ...plainConfig, config: null });
  assert.deepEqual(
    [bare.entrypoint, bare.env, bare.labels, bare.workingDir, bare.created],
    [[], [], {}, "", undefined],
  );
  const full = parseIt({
    ...plainConfig,
    variant: "v1",
    created: "2026-01-01T00:00:00Z",
    config: {
      Entrypoint: "/init",
      Cmd: ["a", "b"],
      Env: null,
      Labels: { k: "v" },
      ExposedPorts: { "80/tcp": {} },
      StopSignal: "SIGINT",
      User: "1:1",
      WorkingDir: "/w",
    },
  });
  assert.deepEqual([full.entrypoint, full.cmd, full.exposedPorts], [["/init"], ["a", "b"], ["80/tcp"]]);
  assert.deepEqual(full.platform, { os: "linux", architecture: "amd64" });
});

test("a config that doesn't fit its manifest is refused", () => {
  const read =
    (value: unknown, layers = 1) =>
    (): unknown =>
      parseConfig(bytes(value), digestOf(bytes("")), layers);
  refused(read(plainConfig, 2), "MANIFEST_INVALID", /1 digests for 2 layers/);
  refused(read(plainConfig, 0), "MANIFEST_INVALID");
  refused(read({ ...plainConfig, rootfs: { type: "layers", diff_ids: ["sha256:x"] } }), "MANIFEST_INVALID");
  refused(read({ ...plainConfig, rootfs: { type: "tarsum", diff_ids: [digest] } }), "MANIFEST_INVALID");
  refused(read({ ...plainConfig, rootfs: undefined }), "MANIFEST_INVALID");
  refused(read({ ...plainConfig, os: undefined }), "MANIFEST_INVALID");
  refused(read({ ...plainConfig, config: { Env: "x" } }), "MANIFEST_INVALID");
  refused(read({ ...plainConfig, os: "windows" }), "MANIFEST_UNSUPPORTED", /Windows/);
});

test("media types", () => {
  assert.equal(bareMediaType("Application/JSON ; charset=utf-8"), "application/json");
  assert.equal(bareMediaType(undefined), "");
  assert.ok(isLayer("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"));
  assert.ok(isLayer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
  assert.ok(!isLayer("application/vnd.oci.image.layer.v1.tar+lz4"));
  assert.ok(!isLayer("application/gzip"));
});
