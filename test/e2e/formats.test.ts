import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { buildImage, buildIndex, noise, writeLayout } from "../fakes/registry/images.ts";
import { device, dir, file, hardlink, symlink, tar } from "../layers/tar-builder.ts";
import { runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { umociUnpack } from "../system/debian-image.ts";
import { differences, readHostTree, type HostEntry } from "../system/host-tree.ts";
import { readMounted } from "../system/mounted.ts";
import { runProgram } from "../system/program.ts";
import { startRealRegistry, type RealRegistry } from "../system/real-registry.ts";

const folder = mkdtempSync(join(tmpdir(), "banger-formats-"));
const source = join(folder, "source");
let registry: RealRegistry;
let daemon: DaemonProcess;
let expected: ReadonlyMap<string, HostEntry>;

/** Of every kind of entry something, and an upper layer that hides, replaces and adds. Uncompressed. */
async function writeSource(): Promise<void> {
  const mtime = 1_700_000_000;
  const lower = tar(
    dir("etc/", { mode: 0o755, mtime }),
    file("etc/hidden", "gone", { mtime }),
    file("etc/kept", noise(400_000), { mode: 0o4755, uid: 33, gid: 70_000, mtime }),
    hardlink("etc/same", "etc/kept"),
    symlink("etc/link", "kept", { mtime }),
    device("etc/null", "character", 1, 3, { mode: 0o666, mtime }),
    file("etc/noted", "x", { mtime, xattrs: { "user.note": "remember" } }),
  );
  const upper = tar(
    file("etc/.wh.hidden", ""),
    file("etc/noted", "replaced", { mtime, mode: 0o600 }),
    file("naïve-ü", "", { mtime }),
  );
  const mediaType = "application/vnd.oci.image.layer.v1.tar";
  const image = buildImage({ layers: [lower, upper].map((content) => ({ content, mediaType })) });
  const s390x = { os: "linux", architecture: "s390x" };
  const other = buildImage({ platform: s390x, layers: [{ content: tar(file("other", "")), mediaType }] });
  const index = buildIndex([
    { image: other, platform: s390x },
    { image, platform: { os: "linux", architecture: "amd64" } },
  ]);
  await writeLayout(source, { one: image, latest: image, multi: index });
}

before(async () => {
  await writeSource();
  umociUnpack(source, join(folder, "umoci"));
  expected = readHostTree(join(folder, "umoci"));
  registry = await startRealRegistry();
  daemon = await startDaemonProcess();
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

type Format = readonly [name: string, tag: "one" | "multi", target: string, ...flags: readonly string[]];

/** What `skopeo copy` can write that an image can be pulled from; `{dir}` and `{registry}` are the test's. */
const formats: readonly Format[] = [
  ["an OCI layout", "one", "oci:{dir}/gzip:v"],
  ["an OCI layout, gzip", "one", "oci:{dir}/gzip2:v", "--dest-compress-format=gzip"],
  ["an OCI layout, zstd", "one", "oci:{dir}/zstd:v", "--dest-compress-format=zstd"],
  [
    "an OCI layout, zstd at its best",
    "one",
    "oci:{dir}/zstd19:v",
    "--dest-compress-format=zstd",
    "--dest-compress-level=19",
  ],
  ["an OCI layout, zstd:chunked", "one", "oci:{dir}/chunked:v", "--dest-compress-format=zstd:chunked"],
  ["an OCI layout, uncompressed", "one", "oci:{dir}/plain:v", "--dest-oci-accept-uncompressed-layers"],
  ["an OCI layout with an index", "multi", "oci:{dir}/multi:v", "--all"],
  ["an OCI archive", "one", "oci-archive:{dir}/one.tar:v"],
  ["an OCI archive with an index", "multi", "oci-archive:{dir}/multi.tar:v", "--all"],
  ["an OCI archive, zstd", "one", "oci-archive:{dir}/zstd.tar:v", "--dest-compress-format=zstd"],
  ["a docker archive", "one", "docker-archive:{dir}/docker.tar:team/app:v"],
  ["a registry, OCI", "one", "docker://{registry}/a:oci", "--format=oci"],
  [
    "a registry, OCI, zstd",
    "one",
    "docker://{registry}/a:zstd",
    "--format=oci",
    "--dest-compress-format=zstd",
  ],
  [
    "a registry, OCI, zstd:chunked",
    "one",
    "docker://{registry}/a:c",
    "--format=oci",
    "--dest-compress-format=zstd:chunked",
  ],
  ["a registry, Docker schema 2", "one", "docker://{registry}/a:v2s2", "--format=v2s2"],
  ["a registry, with an index", "multi", "docker://{registry}/a:multi", "--all"],
];

for (const [at, [name, tag, target, ...flags]] of formats.entries()) {
  test(`as skopeo writes it: ${name}`, async () => {
    const place = target.replace("{dir}", folder).replace("{registry}", registry.host);
    const options = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", ...flags];
    runProgram("skopeo", [...options, `oci:${source}:${tag}`, place]);
    const reference = place.replace("docker://", "");
    const args = ["--no-agents", "--platform", "linux/amd64", "--name", `image-${at}`, "--json"];
    const pulled = await runCli(daemon, "image", "pull", reference, ...args);
    assert.equal(pulled.status, 0, pulled.stderr);
    const image: unknown = JSON.parse(pulled.stdout);
    assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image);
    assert.deepEqual(differences(expected, readMounted(String(image.rootfsPath))), []);
  });
}

test("the formats are what they are called", () => {
  const magics = (layout: string): ReadonlySet<string> => {
    const blobs = join(folder, layout, "blobs", "sha256");
    return new Set(
      readdirSync(blobs).map((name) => readFileSync(join(blobs, name)).subarray(0, 2).toString("hex")),
    );
  };
  assert.ok(magics("gzip").has("1f8b") && !magics("gzip").has("28b5"));
  for (const layout of ["zstd", "zstd19", "chunked"]) {
    assert.ok(magics(layout).has("28b5") && !magics(layout).has("1f8b"), layout);
  }
  assert.ok(!magics("plain").has("1f8b") && !magics("plain").has("28b5"));
});

test("a folder as skopeo's dir: writes it is no image of ours, and said to be none", async () => {
  runProgram("skopeo", ["--insecure-policy", "copy", "--quiet", `oci:${source}:one`, `dir:${folder}/dir`]);
  const pulled = await runCli(daemon, "image", "pull", `oci:${folder}/dir`, "--no-agents");
  assert.equal(pulled.status, 3, pulled.stderr);
  assert.match(pulled.stderr, /no OCI image layout/);
});
