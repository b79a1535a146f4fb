import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import {
  buildImage,
  buildIndex,
  noise,
  stored,
  writeLayout,
  type FakeImage,
} from "../fakes/registry/images.ts";
import { pullAll } from "./pull-all.ts";

const one = buildImage({ layers: [noise(600_000), noise(20, 2)] });
const two = buildImage({ layers: [noise(30, 3)] });

async function withLayout(
  images: Readonly<Record<string, FakeImage>>,
  check: (folder: string) => Promise<void>,
): Promise<void> {
  await using folder = await makeTempDir("banger-layout-");
  await writeLayout(join(folder.path, "lay"), images);
  await check(join(folder.path, "lay"));
}

function blobPath(folder: string, blob: { readonly digest: string } | undefined): string {
  return join(folder, "blobs", (blob?.digest ?? "").replace(":", "/"));
}

async function fails(reference: string, reason: Reason, message = /^/): Promise<void> {
  await assert.rejects(pullAll(reference), (error: unknown) => {
    assert.ok(hasReason(error, reason), `${reason} expected: ${String(error)}`);
    assert.match(error.message, message);
    return true;
  });
}

test("an image comes out of a layout by tag, by digest, and alone", async () => {
  await withLayout({ v1: one, v2: two }, async (folder) => {
    const { image, layers } = await pullAll(`oci:${folder}:v1`);
    assert.deepEqual(
      layers,
      one.blobs.slice(1).map(({ bytes }) => bytes),
    );
    assert.equal(image.repository, `oci:${folder}`);
    assert.equal(image.tag, "v1");
    assert.equal(image.indexDigest, undefined);
    const pinned = await pullAll(`oci:${folder}@${two.root.digest}`);
    assert.equal(pinned.image.manifestDigest, two.root.digest);
    assert.equal(pinned.image.tag, undefined);
    await fails(`oci:${folder}`, "SOURCE_UNKNOWN", /several images; it names "v1", "v2"/);
    await fails(`oci:${folder}:v3`, "SOURCE_UNKNOWN", /"v3"; it names "v1", "v2"/);
  });
  await withLayout({ "": two }, async (folder) => {
    assert.equal((await pullAll(`oci:${folder}`)).image.tag, "latest");
  });
  await withLayout({ "docker.io/library/x:9": two }, async (folder) => {
    assert.equal((await pullAll(`oci:${folder}`)).image.tag, "9");
    assert.equal((await pullAll(`oci:${folder}:9`)).image.manifestDigest, two.root.digest);
  });
});

test("an index in a layout is followed to the platform", async () => {
  const index = buildIndex([{ image: one, platform: { os: "linux", architecture: "amd64" } }]);
  await withLayout({ v1: index }, async (folder) => {
    const { image } = await pullAll(`oci:${folder}:v1`);
    assert.equal(image.manifestDigest, one.root.digest);
    assert.equal(image.indexDigest, index.root.digest);
  });
});

test("what is no layout is SOURCE_UNKNOWN", async () => {
  await using folder = await makeTempDir("banger-layout-");
  await fails(`oci:${folder.path}/none`, "SOURCE_UNKNOWN", /no OCI image layout at/);
  await fails(`oci:${folder.path}`, "SOURCE_UNKNOWN");
  await mkdir(join(folder.path, "index.json"));
  await fails(`oci:${folder.path}`, "SOURCE_UNKNOWN");
  await rm(join(folder.path, "index.json"), { recursive: true });
  execFileSync("mkfifo", [join(folder.path, "index.json")]);
  await fails(`oci:${folder.path}`, "SOURCE_UNKNOWN");
});

test("a damaged layout is found out", async () => {
  await withLayout({ v1: one }, async (folder) => {
    const [config, layer] = one.blobs;
    await appendFile(blobPath(folder, layer), "x");
    await fails(`oci:${folder}:v1`, "SIZE_MISMATCH");
    const wrong = Buffer.from(layer?.bytes ?? "");
    wrong[1000] = (wrong[1000] ?? 0) ^ 1;
    await writeFile(blobPath(folder, layer), wrong);
    await fails(`oci:${folder}:v1`, "DIGEST_MISMATCH");
    await rm(blobPath(folder, layer));
    await fails(`oci:${folder}:v1`, "BLOB_UNKNOWN");
    await writeFile(blobPath(folder, config), Buffer.from(config?.bytes ?? "").fill(32));
    await fails(`oci:${folder}:v1`, "DIGEST_MISMATCH");
    await writeFile(join(folder, "index.json"), "{}{}");
    await fails(`oci:${folder}:v1`, "MANIFEST_INVALID");
  });
});

test("R29 schema 1 in a layout, or in an index, is refused as such, and passed over where there is better", async () => {
  const old: FakeImage = {
    ...one,
    root: stored("application/vnd.docker.distribution.manifest.v1+prettyjws", {
      schemaVersion: 1,
      name: "a",
    }),
  };
  const shown = { ...old, documents: [old.root] };
  await withLayout({ v1: shown, v2: two }, async (folder) => {
    await fails(`oci:${folder}:v1`, "MANIFEST_UNSUPPORTED", /schema 1/);
    await fails(`oci:${folder}@${old.root.digest}`, "MANIFEST_UNSUPPORTED", /schema 1/);
  });
  await withLayout({ v1: shown }, async (folder) => {
    await fails(`oci:${folder}`, "MANIFEST_UNSUPPORTED", /schema 1/);
  });
  const platform = { os: "linux", architecture: "amd64" };
  const both = buildIndex([{ image: shown, platform }, { image: two }]);
  await withLayout({ v1: both, v2: buildIndex([{ image: shown, platform }]) }, async (folder) => {
    assert.equal((await pullAll(`oci:${folder}:v1`)).image.manifestDigest, two.root.digest);
    await fails(`oci:${folder}:v2`, "MANIFEST_UNSUPPORTED", /schema 1/);
  });
});
