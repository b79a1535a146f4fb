import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { openArtifact } from "../../src/registry/open-source.ts";
import { recordingClock } from "../base/recording-clock.ts";
import { buildArtifact, buildImage, buildIndex, noise, writeLayout } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";

const sourceOptions = { signal: new AbortController().signal, onRetry: () => {} };

async function titles(reference: string, platform = "linux/amd64"): Promise<readonly (string | undefined)[]> {
  await using source = openArtifact(reference, { limits: defaultLimits, clock: recordingClock() });
  const { files } = await source.resolveArtifact(parsePlatform(platform), sourceOptions);
  return files.map(({ title }) => title);
}

const fails = (reason: Reason) => (error: unknown) => hasReason(error, reason);

test("an artifact in a registry, by tag, digest, and an index for several platforms", async () => {
  await using registry = await FakeRegistry.start();
  const amd64 = buildArtifact({ kernel: noise(100), "modules.tar": noise(50, 2) });
  const arm64 = buildArtifact({ Image: noise(100, 3) });
  const index = buildIndex([
    {
      image: amd64,
      platform: { os: "linux", architecture: "amd64" },
      extra: { artifactType: "application/vnd.example" },
    },
    { image: arm64, platform: { os: "linux", architecture: "arm64" } },
  ]);
  registry.add("k", "one", amd64);
  registry.add("k", "all", index);
  registry.add("k", "image", buildImage());
  assert.deepEqual(await titles(`${registry.host}/k:one`), ["kernel", "modules.tar"]);
  assert.deepEqual(await titles(`${registry.host}/k:one`, "linux/arm64"), ["kernel", "modules.tar"]);
  assert.deepEqual(await titles(`${registry.host}/k@${amd64.root.digest}`), ["kernel", "modules.tar"]);
  assert.deepEqual(await titles(`${registry.host}/k:all`), ["kernel", "modules.tar"]);
  assert.deepEqual(await titles(`${registry.host}/k:all`, "linux/arm64"), ["Image"]);
  assert.deepEqual(await titles(`${registry.host}/k:image`), [undefined]);
  await assert.rejects(titles(`${registry.host}/k:all`, "linux/s390x"), (error: unknown) => {
    return hasReason(error, "PLATFORM_UNKNOWN") && error.message.includes("linux/amd64, linux/arm64");
  });
  await assert.rejects(titles(`${registry.host}/k:none`), fails("MANIFEST_UNKNOWN"));
});

test("an artifact in an OCI layout", async () => {
  await using folder = await makeTempDir("banger-artifact-");
  const layout = join(folder.path, "layout");
  await writeLayout(layout, { k: buildArtifact({ kernel: noise(100) }), image: buildImage() });
  assert.deepEqual(await titles(`oci:${layout}:k`), ["kernel"]);
  await assert.rejects(titles(`oci:${layout}:none`), fails("SOURCE_UNKNOWN"));
  assert.throws(() => openArtifact("docker-archive:/x.tar"), fails("REFERENCE_INVALID"));
});
