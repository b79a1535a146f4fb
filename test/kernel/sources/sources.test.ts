import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf, hexOf } from "../../../src/base/digest.ts";
import { hasReason, type BangerError, type Reason } from "../../../src/base/error.ts";
import type { KernelSource } from "../../../src/kernel/kernel-source.ts";
import { buildArtifact, buildImage, noise, writeLayout } from "../../fakes/registry/images.ts";
import { FakeRegistry } from "../../fakes/registry/registry.ts";
import { dir, file, symlink, tar } from "../../layers/tar-builder.ts";
import { debOf } from "../archive/ar-builder.ts";
import { makeFetchRig, type FetchRig } from "./fetch-rig.ts";

const kernel = Buffer.concat([Buffer.from("MZ"), noise(50_000)]);
const sha256Of = (bytes: Buffer): string => hexOf(digestOf(bytes));
const modules = [file("lib/modules/6.1.2/modules.builtin", "b"), file("lib/modules/6.1.2/kernel/a.ko", "a")];

function fails(reason: Reason, message: RegExp, also: (error: BangerError) => void = () => {}) {
  return (error: unknown): boolean => {
    assert.ok(hasReason(error, reason), String(error));
    assert.match(error.message, message);
    also(error);
    return true;
  };
}

function read(path: string | undefined): Buffer {
  assert.ok(path !== undefined);
  return readFileSync(path);
}

test("a URL of a kernel alone, and of archives of its parts", async () => {
  await using server = await FakeRegistry.start();
  const bundle = tar(
    file("kernel", kernel),
    file("initrd", "i"),
    dir("modules/"),
    file("modules/kernel/a.ko", "a"),
  );
  const rooted = tar(file("./boot/vmlinuz-6.1.2", kernel), ...modules, file("etc/passwd", "x"));
  const nested = tar(file("out/k", kernel), file("modules.tar.gz", gzipSync(tar(...modules))));
  const xz = (bytes: Buffer): Buffer => execFileSync("xz", ["-c"], { input: bytes });
  const table: readonly (readonly [
    bytes: Buffer,
    files: object,
    initrd: boolean,
    modules: string | undefined,
  ])[] = [
    [kernel, {}, false, undefined],
    [gzipSync(kernel), {}, false, undefined],
    [bundle, {}, true, "modules"],
    [xz(bundle), {}, true, "modules"],
    [gzipSync(rooted), {}, false, "6.1.2"],
    [nested, { files: { kernel: "out/k" } }, false, "6.1.2"],
  ];
  for (const [bytes, files, initrd, modulesName] of table) {
    await using rig = await makeFetchRig();
    server.serve("/k", bytes);
    const source = {
      kind: "url",
      url: `http://${server.host}/k`,
      sha256: sha256Of(bytes),
      ...files,
    } as const;
    const fetched = await rig.fetch(source);
    assert.deepEqual(read(fetched.kernelPath), kernel);
    assert.equal(
      fetched.initrdPath === undefined ? "" : read(fetched.initrdPath).toString(),
      initrd ? "i" : "",
    );
    const { modulesPath } = fetched;
    assert.equal(modulesPath === undefined ? undefined : basename(modulesPath), modulesName);
    if (modulesPath !== undefined) assert.equal(read(join(modulesPath, "kernel/a.ko")).toString(), "a");
    assert.equal(fetched.source, `http://${server.host}/k@sha256:${source.sha256}`);
    assert.deepEqual(rig.progress.at(-1), { doneBytes: bytes.length, totalBytes: bytes.length });
    const asked = server.requests.length;
    await rig.fetch(source);
    assert.equal(server.requests.length, asked, "a second time out of the cache");
  }
});

test("a package: its kernel and modules, and nothing else of it", async () => {
  await using rig = await makeFetchRig();
  const data = tar(
    dir("./"),
    file("./boot/vmlinuz-6.1.2", kernel),
    file("./boot/System.map-6.1.2", "x"),
    ...modules,
    symlink("lib/modules/6.1.2/build", "/usr/src/linux-headers-6.1.2"),
    symlink("lib/modules/6.1.2/weak/a.ko", "../kernel/a.ko"),
    symlink("lib/modules/6.1.2/out", "../../../../etc"),
    file("./usr/share/doc/x", "x"),
    symlink("vmlinuz", "boot/vmlinuz-6.1.2"),
  );
  const control = tar(file("./postinst", "#!/bin/sh\ntouch /tmp/banger-postinst-ran\n", { mode: 0o755 }));
  const path = join(rig.cacheDir, "k.deb");
  const packed = debOf(
    { name: "data.tar.gz", content: gzipSync(data) },
    { name: "control.tar", content: control },
  );
  writeFileSync(path, packed);
  const sha256 = sha256Of(packed);
  for (const source of [
    { kind: "deb", location: path, sha256: undefined },
    { kind: "deb", location: path, sha256 },
  ] as const) {
    const { kernelPath, initrdPath, modulesPath, source: from, warnings } = await rig.fetch(source);
    assert.deepEqual(read(kernelPath), kernel);
    assert.equal(initrdPath, undefined);
    assert.equal(basename(modulesPath ?? ""), "6.1.2");
    const names = globSync("**", { cwd: rig.folder, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name).slice(rig.folder.length))
      .toSorted();
    assert.deepEqual(names, [
      "/tree/boot/vmlinuz-6.1.2",
      "/tree/lib/modules/6.1.2/kernel/a.ko",
      "/tree/lib/modules/6.1.2/modules.builtin",
    ]);
    assert.deepEqual(warnings, [
      "2 links and special files of the modules' folder are left out: weak/a.ko, out",
    ]);
    assert.match(from, /^deb:\/.*k\.deb/);
  }
  assert.deepEqual(globSync("/tmp/banger-postinst-ran"), []);
});

test("packages that can't be used", async () => {
  await using rig = await makeFetchRig();
  const path = join(rig.cacheDir, "k.deb");
  const fetch = async (bytes: Buffer, sha256?: string): Promise<unknown> => {
    writeFileSync(path, bytes);
    return await rig.fetch({ kind: "deb", location: path, sha256 });
  };
  const deb = (...entries: readonly Buffer[]): Buffer =>
    debOf({ name: "data.tar", content: tar(...entries) });
  await assert.rejects(
    fetch(deb(file("usr/share/doc/linux-image-amd64/copyright", "x"))),
    fails("KERNEL_SOURCE_INVALID", /has no kernel; it has usr\/share\/doc/, ({ hint }) =>
      assert.match(hint, /apt-cache depends/),
    ),
  );
  await assert.rejects(
    fetch(deb(file("boot/vmlinuz-6.1\xe9", kernel))),
    fails("KERNEL_SOURCE_INVALID", /which is no file/),
  );
  await assert.rejects(
    fetch(deb(symlink("boot/vmlinuz-6.1.2", "/etc/shadow"))),
    fails("KERNEL_SOURCE_INVALID", /is a link/),
  );
  await assert.rejects(fetch(kernel), fails("KERNEL_SOURCE_INVALID", /not an ar archive/));
  await assert.rejects(
    fetch(deb(), "0".repeat(64)),
    fails("DIGEST_MISMATCH", /and should have that of sha256:0000/),
  );
  await assert.rejects(
    rig.fetch({ kind: "deb", location: "/banger/none.deb", sha256: undefined }),
    fails("SOURCE_UNKNOWN", /no file/),
  );
  await assert.rejects(
    rig.fetch({ kind: "deb", location: "/tmp", sha256: undefined }),
    fails("SOURCE_UNKNOWN", /no file/),
  );
  await assert.rejects(
    rig.fetch({ kind: "deb", location: "https://h/k.deb", sha256: undefined }),
    fails("REFERENCE_INVALID", /without its digest/),
  );
});

test("an artifact as files by name, as one archive, as layers of an image, and in a layout", async () => {
  await using registry = await FakeRegistry.start();
  const tarred = tar(...modules);
  const bundle = tar(file("kernel", kernel), file("modules/kernel/a.ko", "a"));
  const layer = { content: tar(file("kernel", kernel)) };
  const artifacts = {
    files: buildArtifact({
      "modules.tar.gz": gzipSync(tarred),
      initrd: Buffer.from("i"),
      kernel,
      readme: noise(10),
    }),
    paths: buildArtifact({ "dist/vmlinuz-6.1.2": kernel, "dist/modules.tar": tarred }),
    // As `oras push …:kernel.tar.gz` has it.
    archive: buildArtifact({ "kernel-6.1.tar.gz": gzipSync(bundle) }),
    image: buildImage({ layers: [bundle] }),
    layers: buildImage({ layers: [layer, { content: tarred }] }),
    only: buildArtifact({ kernel }),
  };
  for (const [name, artifact] of Object.entries(artifacts)) {
    await using rig = await makeFetchRig();
    registry.add("o/k", name, artifact);
    const layout = join(rig.cacheDir, "layout");
    await writeLayout(layout, { [name]: artifact });
    for (const reference of [`${registry.host}/o/k:${name}`, `oci:${layout}:${name}`]) {
      const fetched = await rig.fetch({ kind: "artifact", reference });
      assert.deepEqual(read(fetched.kernelPath), kernel, name);
      assert.equal(fetched.modulesPath === undefined, name === "only", name);
      if (fetched.modulesPath !== undefined) read(join(fetched.modulesPath, "kernel/a.ko"));
      assert.equal(fetched.initrdPath === undefined, name !== "files");
      assert.equal(fetched.source, `artifact:${reference}`);
    }
  }
  const readme = artifacts.files.blobs.at(-1)?.digest ?? "";
  assert.deepEqual(registry.asked(new RegExp(readme)), [], "what is not needed is not fetched");
});

test("what an artifact lacks is said, with what it has", async () => {
  await using registry = await FakeRegistry.start();
  await using rig = await makeFetchRig();
  registry.add("o/k", "1", buildArtifact({ "disk.img": noise(100), readme: noise(10) }));
  registry.add("o/k", "one", buildArtifact({ readme: noise(1000) }));
  registry.add("o/k", "image", buildImage({ layers: [tar(file("etc/os-release", "x"))] }));
  registry.add("o/k", "none", buildArtifact({}));
  const at = (tag: string, files = {}): KernelSource => ({
    kind: "artifact",
    reference: `${registry.host}/o/k:${tag}`,
    files,
  });
  await assert.rejects(
    rig.fetch(at("1")),
    fails("KERNEL_SOURCE_INVALID", /k:1 has no kernel; it has disk\.img, readme/),
  );
  await assert.rejects(
    rig.fetch(at("1", { kernel: "disk.img", modules: "m.tar" })),
    fails("KERNEL_SOURCE_INVALID", /has no "m\.tar".*it has disk\.img, readme/),
  );
  await assert.rejects(
    rig.fetch(at("image")),
    fails("KERNEL_SOURCE_INVALID", /has no kernel; it has etc\/os-release/),
  );
  await assert.rejects(rig.fetch(at("none")), fails("KERNEL_SOURCE_INVALID", /has nothing in it/));
  await assert.rejects(rig.fetch(at("later")), fails("MANIFEST_UNKNOWN", /there is no/));
});

/** By each kind of source that downloads: what a test does to one, it does to each. */
async function eachSource(
  check: (server: FakeRegistry, source: KernelSource, bytes: Buffer, rig: FetchRig) => Promise<void>,
): Promise<void> {
  const large = noise(600_000, 7);
  const deb = debOf({ name: "data.tar", content: tar(file("boot/vmlinuz-6.1", large)) });
  const url = (server: FakeRegistry, name: string): string => `http://${server.host}/blobs/${name}`;
  const kinds: readonly (readonly [Buffer, (server: FakeRegistry) => KernelSource])[] = [
    [large, (server) => ({ kind: "url", url: url(server, "k"), sha256: sha256Of(large) })],
    [deb, (server) => ({ kind: "deb", location: url(server, "k"), sha256: sha256Of(deb) })],
    [large, (server) => ({ kind: "artifact", reference: `${server.host}/o/k:1` })],
  ];
  for (const [bytes, sourceOf] of kinds) {
    await using server = await FakeRegistry.start();
    await using rig = await makeFetchRig();
    server.serve("/blobs/k", bytes);
    server.add("o/k", "1", buildArtifact({ kernel: bytes }));
    await check(server, sourceOf(server), bytes, rig);
  }
}

test("a download that is cut is resumed where it broke off", async () => {
  await eachSource(async (server, source, bytes, rig) => {
    server.fault({ path: /blobs/, times: 1 }, { cutAfter: 300_000 });
    const fetched = await rig.fetch(source);
    assert.ok(readFileSync(fetched.kernelPath).length > 500_000);
    const ranges = server.asked(/blobs/).map(({ headers }) => headers["range"]);
    assert.equal(ranges.length, 2, source.kind);
    assert.match(ranges[1] ?? "", /^bytes=[1-9]/);
    assert.deepEqual(rig.progress.at(-1), { doneBytes: bytes.length, totalBytes: bytes.length });
  });
});

test("wrong bytes: the source, what was expected and what came are named, and nothing is kept", async () => {
  await eachSource(async (server, source, bytes, rig) => {
    const wrong = Buffer.from(bytes);
    wrong[5] = (wrong[5] ?? 0) ^ 1;
    server.fault({ path: /blobs/ }, { body: wrong });
    await assert.rejects(
      rig.fetch(source),
      fails(
        "DIGEST_MISMATCH",
        /has the content of sha256:.* and should have that of sha256:/,
        ({ facts }) => {
          assert.equal(facts["expected"], digestOf(bytes));
          assert.equal(facts["actual"], digestOf(wrong));
          assert.match(facts["source"] ?? "", /127\.0\.0\.1/);
        },
      ),
    );
    assert.deepEqual(rig.cached(), { partial: 0, whole: 0 }, source.kind);
    assert.deepEqual(globSync("*", { cwd: rig.folder }), []);
  });
});

test("a cancel ends a download, which is resumed later", async () => {
  await eachSource(async (server, source, _bytes, rig) => {
    server.fault({ path: /blobs/, times: 1 }, { drip: { bytes: 10_000, everyMs: 5000 } });
    const cancel = new AbortController();
    const started = rig.fetch(source, { signal: cancel.signal });
    while (rig.progress.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    cancel.abort();
    await assert.rejects(started, fails("CANCELLED", /cancelled/));
    assert.equal(rig.cached().partial, 1, source.kind);
    await rig.fetch(source);
    assert.match(server.asked(/blobs/).at(-1)?.headers["range"] ?? "", /^bytes=[1-9]/);
  });
});

test("servers that refuse, redirect, or don't say how much there is", async () => {
  await using server = await FakeRegistry.start();
  await using rig = await makeFetchRig({ kernelBytes: 1_000_000 });
  server.serve("/blobs/k", kernel);
  const source = { kind: "url", url: `http://${server.host}/blobs/k`, sha256: sha256Of(kernel) } as const;
  server.fault({ path: /blobs/, times: 1 }, { status: 404 });
  await assert.rejects(rig.fetch(source), fails("SOURCE_UNKNOWN", /has no file \/blobs\/k/));
  server.fault({ path: /blobs/, times: 1 }, { status: 403 });
  await assert.rejects(rig.fetch(source), fails("REGISTRY_AUTH", /answered 403/));
  server.fault({ path: /blobs/, times: 1 }, { chunked: true });
  await assert.rejects(rig.fetch(source), fails("REGISTRY_PROTOCOL", /does not say how long/));
  server.fault({ path: /blobs/, times: 1 }, { headers: { "content-length": "2000000" } });
  await assert.rejects(
    rig.fetch(source),
    fails("LIMIT_DOCUMENT_SIZE", /has 2000000 bytes; the limit is 1000000/),
  );
  await assert.rejects(rig.fetch({ ...source, size: 5 }), fails("SIZE_MISMATCH", /has 50002 bytes.*, not 5/));
  server.fault({ path: /blobs/, times: 1 }, { status: 302, headers: { location: "file:///etc/passwd" } });
  await assert.rejects(rig.fetch(source), fails("REGISTRY_PROTOCOL", /redirects to the protocol "file:"/));
  assert.deepEqual(rig.cached(), { partial: 0, whole: 0 });
  server.fault({ path: /blobs/, times: 1 }, { chunked: true });
  const sized = await rig.fetch({ ...source, size: kernel.length });
  assert.deepEqual(read(sized.kernelPath), kernel);
});

test("a blob that has decayed in the cache is fetched anew", async () => {
  await using server = await FakeRegistry.start();
  await using rig = await makeFetchRig();
  server.serve("/k", kernel);
  const source = { kind: "url", url: `http://${server.host}/k`, sha256: sha256Of(kernel) } as const;
  await rig.fetch(source);
  const [path = ""] = globSync("oci/blobs/*/*", { cwd: rig.cacheDir });
  execFileSync("chmod", ["u+w", join(rig.cacheDir, path)]);
  writeFileSync(join(rig.cacheDir, path), "rotten");
  assert.deepEqual(read((await rig.fetch(source)).kernelPath), kernel);
  assert.equal(server.requests.length, 2);
});
