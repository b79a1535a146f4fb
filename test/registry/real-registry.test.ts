import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { buildImage, buildIndex, noise, writeLayout } from "../fakes/registry/images.ts";
import { startDockerRegistry } from "./docker-registry.ts";
import { pullAll } from "./pull-all.ts";

function skopeoCopy(from: string, to: string, ...more: readonly string[]): void {
  execFileSync("skopeo", ["--insecure-policy", "copy", "--dest-tls-verify=false", ...more, from, to], {
    stdio: ["ignore", "ignore", "pipe"],
  });
}

test("R01, R26, R27 against the real registry, as skopeo pushed it", async () => {
  await using folder = await makeTempDir("banger-real-");
  await using registry = await startDockerRegistry();
  const image = buildImage({ layers: [noise(400_000), noise(10, 2)] });
  const s390x = { os: "linux", architecture: "s390x" };
  const index = buildIndex([
    { image, platform: { os: "linux", architecture: "amd64" } },
    { image: buildImage({ platform: s390x }), platform: s390x },
  ]);
  const layout = join(folder.path, "layout");
  await writeLayout(layout, { multi: index, single: image });
  skopeoCopy(`oci:${layout}:multi`, `docker://${registry.host}/team/app:multi`, "--all");
  skopeoCopy(`oci:${layout}:single`, `docker://${registry.host}/team/app:docker`, "--format", "v2s2");
  const layers = image.blobs.slice(1).map(({ bytes }) => bytes);

  const multi = await pullAll(`${registry.host}/team/app:multi`);
  assert.deepEqual(multi.layers, layers);
  assert.equal(multi.image.indexDigest, index.root.digest);
  assert.equal(multi.image.manifestDigest, image.root.digest);
  assert.equal(multi.image.availablePlatforms.length, 2);

  const docker = await pullAll(`${registry.host}/team/app:docker`);
  assert.match(docker.image.manifest.mediaType, /docker/);
  assert.deepEqual(docker.layers, layers);

  const pinned = await pullAll(`${registry.host}/team/app@${image.root.digest}`);
  assert.equal(pinned.image.tag, undefined);
  await assert.rejects(pullAll(`${registry.host}/team/app:none`), (error: unknown) => {
    assert.ok(hasReason(error, "MANIFEST_UNKNOWN"));
    assert.match(error.message, /MANIFEST_UNKNOWN: manifest unknown/);
    return true;
  });
});
