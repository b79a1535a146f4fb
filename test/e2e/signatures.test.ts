import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { referrersTag, signatureArtifact, signatureTag } from "../../src/signature/signature-manifest.ts";
import { ociIndex } from "../../src/oci/media-types.ts";
import {
  buildArtifact,
  buildImage,
  descriptorOf,
  stored,
  writeLayout,
  type FakeImage,
} from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { startDockerRegistry } from "../registry/docker-registry.ts";
import {
  bundleManifest,
  keyPair,
  payloadFor,
  signedPayload,
  simpleSigningManifest,
  type SignatureArtifact,
} from "../signature/cosign-artifacts.ts";
import { bufCurl } from "../system/buf-curl.ts";
import {
  makeDaemonHome,
  runCli,
  startDaemonProcess,
  type CliResult,
  type DaemonHome,
} from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

const keys = keyPair();
let image: FakeImage;
let other: FakeImage;
before(async () => {
  image = buildImage({ layers: [await tarOf((put) => put({ name: "etc/hello" }, "hello\n"))] });
  other = buildImage({ layers: [await tarOf((put) => put({ name: "etc/hello" }, "other\n"))] });
});

/** A daemon's config, which asks for signatures of everything but what is below its own folder. */
function configure(home: DaemonHome, pem: string, more = ""): Readonly<Record<string, string>> {
  const [key, config] = [join(home.folder, "cosign.pub"), join(home.folder, "config.toml")];
  writeFileSync(key, pem);
  const exempt = `[[signatures]]\nscope = "oci:${home.folder}"\naccept = "unsigned"\n`;
  writeFileSync(config, `[[signatures]]\nscope = "*"\nkey = "${key}"\n${exempt}${more}`);
  return { BANGER_CONFIG: config };
}

function push(
  registry: FakeRegistry,
  name: string,
  { manifest, blobs }: SignatureArtifact,
  tag: string,
): void {
  registry.addManifest(name, tag, manifest);
  for (const { digest, bytes } of blobs) registry.addBlob(name, digest, bytes);
}

test("what is signed is pulled; what is not is refused before a layer is fetched, and told to both kinds of client", async () => {
  await using home = await makeDaemonHome();
  await using registry = await FakeRegistry.start();
  const name = "team/app";
  registry.add(name, "1", image);
  registry.add(name, "2", other);
  const payload = payloadFor(image.root.digest, `${registry.host}/${name}`);
  push(
    registry,
    name,
    simpleSigningManifest([signedPayload(keys, payload)]),
    signatureTag(image.root.digest),
  );
  await using daemon = await startDaemonProcess({ home, env: configure(home, keys.pem) });

  const signed = await runCli(daemon, "image", "pull", `${registry.host}/${name}:1`, "--no-agents");
  assert.equal(signed.status, 0, signed.stderr);
  assert.match(signed.stderr, /signed/);
  const resolved = await runCli(daemon, "image", "resolve", `${registry.host}/${name}:1`);
  assert.match(resolved.stdout, /signed +by .*cosign\.pub, as \* asks: tag sha256-\w+\.sig/);

  for (const command of ["pull", "resolve"]) {
    const refused = await runCli(daemon, "image", command, `${registry.host}/${name}:2`);
    assert.equal(refused.status, 1, refused.stderr);
    assert.match(refused.stderr, /is not signed: the policy for \* asks for one by .*cosign\.pub/);
  }
  const request = JSON.stringify({ reference: `${registry.host}/${name}:2` });
  const { error } = await bufCurl(
    daemon,
    "-d",
    request,
    "http://localhost/banger.image.v1.ImageService/PullImage",
  );
  assert.deepEqual([error?.code, error?.reason], ["permission_denied", "SIGNATURE_REQUIRED"]);
  for (const { digest } of other.blobs.slice(1)) {
    assert.deepEqual(registry.asked(new RegExp(`blobs/${digest}`)), []);
  }
});

test("a kernel's artifact is asked for its signature as well, by whichever way it is brought in", async () => {
  await using home = await makeDaemonHome();
  await using registry = await FakeRegistry.start();
  const name = "team/app";
  registry.add(name, "1", image);
  const payload = payloadFor(image.root.digest, `${registry.host}/${name}`);
  const signature = simpleSigningManifest([signedPayload(keys, payload)]);
  push(registry, name, signature, signatureTag(image.root.digest));
  registry.add("o/k", "1", buildArtifact({ kernel: Buffer.from("a kernel") }));
  await using daemon = await startDaemonProcess({ home, env: configure(home, keys.pem) });
  const kernel = `artifact:${registry.host}/o/k:1`;
  const pulls = [
    ["kernel", "pull", kernel],
    ["image", "pull", `${registry.host}/${name}:1`, "--no-agents", "--kernel-ref", kernel],
  ];
  for (const words of pulls) {
    const refused = await runCli(daemon, ...words);
    assert.equal(refused.status, 1, refused.stderr);
    assert.match(refused.stderr, /o\/k:1 .*is not signed: the policy for \*/);
  }
  assert.deepEqual(registry.asked(/o\/k\/blobs/), []);
});

test("an image that is here already is no way around the policy", async () => {
  await using home = await makeDaemonHome();
  await using registry = await FakeRegistry.start();
  const reference = `${registry.host}/team/app:1`;
  registry.add("team/app", "1", image);
  {
    await using daemon = await startDaemonProcess({ home });
    const pulled = await runCli(daemon, "image", "pull", reference, "--no-agents");
    assert.equal(pulled.status, 0, pulled.stderr);
  }
  await using daemon = await startDaemonProcess({ home, env: configure(home, keys.pem) });
  const again = await runCli(daemon, "image", "pull", reference, "--no-agents");
  assert.equal(again.status, 1, again.stderr);
  assert.match(again.stderr, /is not signed/);
  // What is there stays usable: the policy is about what comes in.
  assert.equal((await runCli(daemon, "image", "verify", "app-1")).status, 0);
});

test("a policy that comes with SIGHUP holds from then on, and one that is wrong changes nothing", async () => {
  await using home = await makeDaemonHome();
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1", image);
  const env = configure(home, keys.pem);
  const config = join(home.folder, "config.toml");
  const asking = readFileSync(config, "utf8");
  writeFileSync(config, "");
  await using daemon = await startDaemonProcess({ home, env });
  const resolve = (): Promise<CliResult> => runCli(daemon, "image", "resolve", `${registry.host}/team/app:1`);
  const reload = async (text: string, said: RegExp): Promise<void> => {
    writeFileSync(config, text);
    daemon.child.kill("SIGHUP");
    while (!said.test(daemon.log())) await sleep(20);
  };
  assert.equal((await resolve()).status, 0);
  await reload(asking, /read the config again/);
  assert.match((await resolve()).stderr, /is not signed/);
  await reload('[[signatures]]\nscope = "*"\n', /the config is wrong/);
  assert.match((await resolve()).stderr, /is not signed/);
});

test("local images pass where a policy says so, and nowhere else", async () => {
  await using home = await makeDaemonHome();
  await using elsewhere = await makeDaemonHome();
  await using daemon = await startDaemonProcess({ home, env: configure(home, keys.pem) });
  await writeLayout(join(home.folder, "layout"), { "": image });
  await writeLayout(join(elsewhere.folder, "layout"), { "": image });
  const inside = await runCli(daemon, "image", "resolve", `oci:${home.folder}/layout`);
  assert.equal(inside.status, 0, inside.stderr);
  const around = await runCli(
    daemon,
    "image",
    "resolve",
    `oci:${home.folder}/../${elsewhere.folder.split("/").at(-1)}/layout`,
  );
  assert.equal(around.status, 1);
  assert.match(around.stderr, /no signatures are looked for.*\n*.*→ Let such images in/s);
});

test("a bundle and a referrer in a real registry, by the tag that stands in for its referrers API", async () => {
  await using home = await makeDaemonHome();
  await using registry = await startDockerRegistry();
  const name = "team/app";
  const put = (path: string, type: string, body: Buffer): Promise<void> =>
    upload(registry.host, path, type, body);
  for (const { digest, bytes } of [...image.blobs, ...other.blobs])
    await pushBlob(registry.host, name, digest, bytes);
  await put(`${name}/manifests/1`, image.root.mediaType, image.root.bytes);
  await put(`${name}/manifests/2`, other.root.mediaType, other.root.bytes);
  const payload = payloadFor(other.root.digest, `${registry.host}/${name}`);
  const artifacts = [
    { of: image, artifact: bundleManifest(keys, image.root.digest, image.root) },
    { of: other, artifact: simpleSigningManifest([signedPayload(keys, payload)], other.root) },
  ];
  for (const { of, artifact } of artifacts) {
    for (const { digest, bytes } of artifact.blobs) await pushBlob(registry.host, name, digest, bytes);
    const { manifest } = artifact;
    await put(`${name}/manifests/${manifest.digest}`, manifest.mediaType, manifest.bytes);
    const artifactType = of === image ? "application/vnd.dev.sigstore.bundle.v0.3+json" : signatureArtifact;
    const index = {
      schemaVersion: 2,
      mediaType: ociIndex,
      manifests: [descriptorOf(manifest, { artifactType })],
    };
    await put(`${name}/manifests/${referrersTag(of.root.digest)}`, ociIndex, stored(ociIndex, index).bytes);
  }
  await using daemon = await startDaemonProcess({
    home,
    env: configure(home, keys.pem, '[registry]\nbandwidth = "1MiB"\n'),
  });
  for (const tag of ["1", "2"]) {
    const pulled = await runCli(daemon, "image", "pull", `${registry.host}/${name}:${tag}`, "--no-agents");
    assert.equal(pulled.status, 0, pulled.stderr);
  }
  writeFileSync(join(home.folder, "cosign.pub"), keyPair().pem);
  const stranger = await runCli(daemon, "image", "resolve", `${registry.host}/${name}:1`);
  assert.equal(stranger.status, 1);
  assert.match(stranger.stderr, /has no good signature.*not made with the key/s);
});

async function pushBlob(host: string, name: string, digest: string, bytes: Buffer): Promise<void> {
  const begun = await fetch(`http://${host}/v2/${name}/blobs/uploads/`, { method: "POST" });
  const place = new URL(begun.headers.get("location") ?? "", `http://${host}`);
  place.searchParams.set("digest", digest);
  const ended = await fetch(place, { method: "PUT", body: Uint8Array.from(bytes) });
  assert.equal(ended.status, 201, await ended.text());
}

async function upload(host: string, path: string, type: string, body: Buffer): Promise<void> {
  const headers = { "content-type": type };
  const answer = await fetch(`http://${host}/v2/${path}`, {
    method: "PUT",
    headers,
    body: Uint8Array.from(body),
  });
  assert.equal(answer.status, 201, await answer.text());
}
