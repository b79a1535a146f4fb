import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { digestOf, hexOf } from "../../src/base/digest.ts";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { buildImage, buildIndex, noise, writeLayout } from "../fakes/registry/images.ts";
import { pullAll } from "./pull-all.ts";

const contents = [noise(600_000), noise(20, 2)];
const image = buildImage({ layers: contents });
const layers = image.blobs.slice(1).map(({ bytes }) => bytes);

async function inFolder(check: (folder: string) => Promise<void>): Promise<void> {
  await using folder = await makeTempDir("banger-archive-");
  await check(folder.path);
}

async function fails(reference: string, reason: Reason, message = /^/): Promise<void> {
  await assert.rejects(pullAll(reference), (error: unknown) => {
    assert.ok(hasReason(error, reason), `${reason} expected: ${String(error)}`);
    assert.match(error.message, message);
    return true;
  });
}

function skopeoCopy(from: string, to: string): void {
  execFileSync("skopeo", ["--insecure-policy", "copy", from, to], { stdio: ["ignore", "ignore", "pipe"] });
}

type Entry = string | Uint8Array | { readonly linkname: string };

async function tarOf(entries: readonly (readonly [name: string, content: Entry])[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of entries) {
    if (typeof content === "string" || content instanceof Uint8Array)
      archive.entry({ name }, Buffer.from(content));
    else archive.entry({ name, type: "symlink", linkname: content.linkname });
  }
  archive.finalize();
  return await buffer(archive);
}

const config = Buffer.from(
  JSON.stringify({
    os: "linux",
    architecture: "amd64",
    config: { Cmd: ["/bin/sh"] },
    rootfs: { type: "layers", diff_ids: contents.map((content) => digestOf(content)) },
  }),
);
const configName = `${hexOf(digestOf(config))}.json`;

function manifest(
  names: readonly string[] | null,
  members: readonly string[],
  configMember = configName,
): string {
  return JSON.stringify([{ Config: configMember, RepoTags: names, Layers: members }]);
}

async function saveTo(folder: string, entries: readonly (readonly [string, Entry])[]): Promise<string> {
  const path = join(folder, "image.tar");
  await writeFile(path, await tarOf(entries));
  return `docker-archive:${path}`;
}

test("an oci-archive as skopeo writes it", async () => {
  await inFolder(async (folder) => {
    await writeLayout(join(folder, "layout"), { v1: image });
    skopeoCopy(`oci:${folder}/layout:v1`, `oci-archive:${folder}/x.tar:v1`);
    const pulled = await pullAll(`oci-archive:${folder}/x.tar`);
    assert.deepEqual(pulled.layers, layers);
    assert.equal(pulled.image.manifestDigest, image.root.digest);
    assert.equal(pulled.image.tag, "v1");
    assert.equal(pulled.image.repository, `oci-archive:${folder}/x.tar`);
    assert.equal((await pullAll(`oci-archive:${folder}/x.tar@${image.root.digest}`)).image.tag, undefined);
    await fails(`oci-archive:${folder}/x.tar:v2`, "SOURCE_UNKNOWN", /it names "v1"/);
    await fails(`docker-archive:${folder}/x.tar`, "SOURCE_UNKNOWN", /no manifest\.json/);
  });
});

for (const format of ["gnu", "pax", "ustar"]) {
  test(`archives that tar made, as ${format}, with an index and with long names`, async () => {
    await inFolder(async (folder) => {
      const index = buildIndex([{ image, platform: { os: "linux", architecture: "amd64" } }]);
      const layout = join(folder, "layout");
      await writeLayout(layout, { v1: index });
      // ustar splits a name of up to 255 bytes in two; the others have means of their own for longer ones.
      const names =
        format === "ustar" ? ["a".repeat(90), "b".repeat(90)] : ["a".repeat(200), "ö".repeat(100)];
      const members = contents.map((_, at) => [...names, String(at)].join("/"));
      await mkdir(join(layout, ...names), { recursive: true });
      for (const [at, content] of contents.entries())
        await writeFile(join(layout, members[at] ?? ""), content);
      await writeFile(join(layout, configName), config);
      await writeFile(join(layout, "manifest.json"), manifest(null, members));
      execFileSync("tar", ["-C", layout, `--format=${format}`, "-cf", join(folder, "x.tar"), "."]);
      const pulled = await pullAll(`oci-archive:${folder}/x.tar:v1`);
      assert.deepEqual(pulled.layers, layers);
      assert.equal(pulled.image.indexDigest, index.root.digest);
      assert.deepEqual((await pullAll(`docker-archive:${folder}/x.tar`)).layers, contents);
    });
  });
}

test("a docker-archive as skopeo writes it has the layers inflated, and one digest every time", async () => {
  await inFolder(async (folder) => {
    await writeLayout(join(folder, "layout"), { v1: image });
    skopeoCopy(`oci:${folder}/layout:v1`, `docker-archive:${folder}/x.tar:docker.io/library/thing:1.0`);
    const pulled = await pullAll(`docker-archive:${folder}/x.tar`);
    assert.deepEqual(pulled.layers, contents);
    assert.equal(pulled.image.tag, "1.0");
    assert.deepEqual(
      pulled.image.manifest.layers.map(({ digest }) => digest),
      pulled.image.config.diffIds,
    );
    for (const name of ["1.0", "thing:1.0", "library/thing:1.0", "docker.io/library/thing:1.0"]) {
      const again = await pullAll(`docker-archive:${folder}/x.tar:${name}`);
      assert.equal(again.image.manifestDigest, pulled.image.manifestDigest, name);
    }
    await fails(
      `docker-archive:${folder}/x.tar:other`,
      "SOURCE_UNKNOWN",
      /it names "(docker\.io\/library\/)?thing:1\.0"/,
    );
    await fails(`oci-archive:${folder}/x.tar`, "SOURCE_UNKNOWN");
  });
});

test("docker save before OCI: a folder for each layer, a link for one that occurs twice", async () => {
  await inFolder(async (folder) => {
    const twice = { ...JSON.parse(config.toString()), rootfs: { type: "layers", diff_ids: [] as string[] } };
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = contents;
    twice.rootfs.diff_ids = [digestOf(first), digestOf(second), digestOf(first)];
    const reference = await saveTo(folder, [
      ["aa/VERSION", "1.0"],
      ["aa/layer.tar", first],
      ["bb/layer.tar", second],
      ["cc/layer.tar", { linkname: "../aa/layer.tar" }],
      ["config.json", JSON.stringify(twice)],
      ["manifest.json", manifest(null, ["aa/layer.tar", "bb/layer.tar", "cc/layer.tar"], "config.json")],
    ]);
    const pulled = await pullAll(reference);
    assert.deepEqual(pulled.layers, [first, second, first]);
    assert.equal(pulled.image.tag, "latest");
  });
});

test("docker save since OCI: blobs by their digests, compressed or not", async () => {
  await inFolder(async (folder) => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = contents;
    const zipped = gzipSync(second);
    const blob = (bytes: Uint8Array): string => `blobs/sha256/${hexOf(digestOf(bytes))}`;
    const reference = await saveTo(folder, [
      [blob(config), config],
      [blob(first), first],
      [blob(zipped), zipped],
      ["oci-layout", '{"imageLayoutVersion":"1.0.0"}'],
      ["index.json", '{"schemaVersion":2,"manifests":[]}'],
      ["manifest.json", manifest(["thing:2"], [blob(first), blob(zipped)], blob(config))],
    ]);
    const pulled = await pullAll(reference);
    assert.deepEqual(pulled.layers, [first, zipped]);
    assert.deepEqual(
      pulled.image.manifest.layers.map(({ mediaType }) => mediaType.split(".").at(-1)),
      ["tar", "tar+gzip"],
    );
  });
});

test("a compressed layer under another name is identified by its bytes", async () => {
  await inFolder(async (folder) => {
    const zipped = contents.map((content) => gzipSync(content));
    const reference = await saveTo(folder, [
      [configName, config],
      ...zipped.map((bytes, at): [string, Entry] => [`${at}.tar`, bytes]),
      ["manifest.json", manifest(["x:1"], ["0.tar", "./1.tar"])],
    ]);
    assert.deepEqual((await pullAll(reference)).layers, zipped);
  });
});

test("several images are told apart by name", async () => {
  await inFolder(async (folder) => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = contents;
    const item = (names: readonly string[]): object => ({
      Config: configName,
      RepoTags: names,
      Layers: ["0", "1"],
    });
    const reference = await saveTo(folder, [
      ["0", first],
      ["1", second],
      [configName, config],
      ["manifest.json", JSON.stringify([item(["a:1", "a:2"]), item(["b:1"])])],
    ]);
    assert.deepEqual((await pullAll(`${reference}:a:1`)).layers, contents);
    assert.deepEqual((await pullAll(`${reference}:2`)).layers, contents);
    await fails(reference, "SOURCE_UNKNOWN", /several images/);
    await fails(`${reference}:1`, "SOURCE_UNKNOWN", /several images/);
    await fails(`${reference}:c`, "SOURCE_UNKNOWN", /names "a:1", "a:2", "b:1"/);
  });
});

test("what a docker-archive says is held against its bytes", async () => {
  await inFolder(async (folder) => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = contents;
    const wrong = Buffer.from(first);
    wrong[1000] = (wrong[1000] ?? 0) ^ 1;
    const save = (parts: Readonly<Record<string, Entry>>): Promise<string> => {
      const whole = {
        "0": first,
        "1": second,
        [configName]: config,
        "manifest.json": manifest(null, ["0", "1"]),
      };
      return saveTo(folder, Object.entries({ ...whole, ...parts }));
    };
    assert.deepEqual((await pullAll(await save({}))).layers, contents);
    await fails(await save({ "0": wrong }), "DIGEST_MISMATCH");
    await fails(await save({ [configName]: `${config.toString()} ` }), "DIGEST_MISMATCH");
    await fails(await save({ "manifest.json": manifest(null, ["0"]) }), "MANIFEST_INVALID", /lists 2 layers/);
    await fails(await save({ "manifest.json": manifest(null, ["0", "2"]) }), "BLOB_UNKNOWN");
    await fails(await save({ "manifest.json": manifest(null, ["0", "../1"]) }), "BLOB_UNKNOWN");
    await fails(await save({ "0": { linkname: "0" } }), "BLOB_UNKNOWN");
    await fails(await save({ "0": { linkname: "/etc/passwd" } }), "BLOB_UNKNOWN");
    await fails(await save({ "manifest.json": "{}" }), "MANIFEST_INVALID");
    await fails(await save({ "manifest.json": "[{}]" }), "MANIFEST_INVALID");
    await fails(await save({ "manifest.json": "[]" }), "SOURCE_UNKNOWN");
    await fails(`${await save({})}:/x`, "REFERENCE_INVALID");
    await assert.rejects(pullAll(await save({}), { platform: "linux/s390x" }), (error: unknown) =>
      hasReason(error, "PLATFORM_UNKNOWN"),
    );
  });
});

test("what is no archive, or a broken one, is said to be", async () => {
  await inFolder(async (folder) => {
    const reference = await saveTo(folder, [
      ["manifest.json", manifest(null, ["0", "1"])],
      ["0", contents[0] ?? ""],
    ]);
    const path = join(folder, "image.tar");
    const whole = await readFile(path);
    await fails(`docker-archive:${folder}/none.tar`, "SOURCE_UNKNOWN", /no archive/);
    await fails(`docker-archive:${folder}`, "SOURCE_UNKNOWN", /no archive/);
    const table: readonly (readonly [Uint8Array, RegExp])[] = [
      [whole.subarray(0, 300_000), /cut short/],
      [gzipSync(whole), /is compressed/],
      [noise(5000), /no tar archive/],
      [Buffer.alloc(10_240), /no tar archive, or an empty one/],
      [Buffer.alloc(0), /no tar archive, or an empty one/],
    ];
    for (const [bytes, message] of table) {
      await writeFile(path, bytes);
      await fails(reference, "SOURCE_UNKNOWN", message);
    }
    await writeFile(path, whole);
    const file = await open(path, "r+");
    await file.write("x", 1024);
    await file.close();
    await fails(reference, "SOURCE_UNKNOWN", /broken at byte 1024/);
    execFileSync("rm", [path]);
    execFileSync("mkfifo", [path]);
    await fails(reference, "SOURCE_UNKNOWN");
  });
});

test("a size that an archive claims is bounded, and so is the number of its members", async () => {
  await inFolder(async (folder) => {
    const entries = Array.from({ length: 40 }, (_, at): [string, Entry] => [`f${at}`, "x"]);
    const reference = await saveTo(folder, [...entries, ["manifest.json", manifest(null, [])]]);
    await assert.rejects(pullAll(reference, { limits: { archiveMembers: 30 } }), (error: unknown) => {
      return hasReason(error, "SOURCE_UNKNOWN") && /more than 30 members/.test(error.message);
    });
    const long = await saveTo(folder, [["a".repeat(5000), "x"]]);
    await fails(long, "SOURCE_UNKNOWN", /a name of more than 4096 bytes/);
    const large = await saveTo(folder, [["manifest.json", " ".repeat(5_000_000)]]);
    await fails(large, "LIMIT_DOCUMENT_SIZE");
  });
});
