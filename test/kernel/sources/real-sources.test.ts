import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../../src/base/files.ts";
import { parseKernelRef } from "../../../src/kernel/kernel-ref.ts";
import { buildArtifact, writeLayout } from "../../fakes/registry/images.ts";
import { debianKernel, debianKernelPackage } from "../../system/debian-kernel.ts";
import { startRealRegistry } from "../../system/real-registry.ts";
import { makeFetchRig } from "./fetch-rig.ts";

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, [...args], { stdio: ["ignore", "ignore", "pipe"] });
}

/** Every file below a folder with its hash, every link with its target. */
function treeOf(folder: string): readonly string[] {
  return globSync("**", { cwd: folder })
    .filter((name) => !lstatSync(join(folder, name)).isDirectory())
    .map(
      (name) =>
        `${name} ${createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex")}`,
    )
    .toSorted();
}

test("Debian's cloud kernel out of its package, as dpkg-deb unpacks it", async () => {
  const { release, path, root } = debianKernel();
  await using rig = await makeFetchRig();
  const ref = parseKernelRef(`deb:${debianKernelPackage()}`);
  assert.ok(ref.kind === "source");
  assert.equal(ref.defaultName, `linux-image-${release}`);
  const { kernelPath, initrdPath, modulesPath = "", warnings } = await rig.fetch(ref.source);
  assert.deepEqual(readFileSync(kernelPath), readFileSync(path));
  assert.equal(initrdPath, undefined);
  assert.equal(basename(modulesPath), release);
  // depmod's tables, which another test may have made beside the unpacked modules, are not the package's.
  const files = (folder: string): readonly string[] =>
    treeOf(folder).filter(
      (line) => !/^modules\.(?:dep|alias|symbols|devname|softdep|builtin\.(?:alias\.)?bin)/.test(line),
    );
  const expected = files(join(root, "lib", "modules", release));
  assert.ok(expected.length > 500, `${expected.length} files`);
  assert.deepEqual(files(modulesPath), expected);
  assert.deepEqual(warnings, []);
});

test("a kernel from the real registry: files as oras pushes them, and an image that umoci made", async () => {
  await using registry = await startRealRegistry();
  await using folder = await makeTempDir("banger-real-kernel-");
  await using rig = await makeFetchRig();
  const kernel = Buffer.alloc(300_000, "kernel");
  const tree = join(folder.path, "tree");
  mkdirSync(join(tree, "lib/modules/6.1.2/kernel"), { recursive: true });
  writeFileSync(join(tree, "lib/modules/6.1.2/kernel/a.ko"), "a");
  writeFileSync(join(tree, "lib/modules/6.1.2/modules.builtin"), "");
  writeFileSync(join(tree, "kernel"), kernel);
  run("tar", "--zstd", "-C", tree, "-cf", join(folder.path, "modules.tar.zst"), "lib");

  const files = join(folder.path, "files");
  const modules = readFileSync(join(folder.path, "modules.tar.zst"));
  await writeLayout(files, { k: buildArtifact({ kernel, "modules.tar.zst": modules }) });
  run(
    "skopeo",
    "--insecure-policy",
    "copy",
    "--dest-tls-verify=false",
    `oci:${files}:k`,
    `docker://${registry.host}/o/k:files`,
  );

  const image = join(folder.path, "image");
  run("umoci", "init", "--layout", image);
  run("umoci", "new", "--image", `${image}:k`);
  // Not `umoci insert`: it leaves the last file's padding out of the layer, which is refused as cut short.
  const bundle = join(folder.path, "bundle");
  run("umoci", "unpack", "--rootless", "--image", `${image}:k`, bundle);
  run("cp", "-r", join(tree, "kernel"), join(tree, "lib"), join(bundle, "rootfs"));
  run("umoci", "repack", "--image", `${image}:k`, bundle);
  run(
    "skopeo",
    "--insecure-policy",
    "copy",
    "--dest-tls-verify=false",
    `oci:${image}:k`,
    `docker://${registry.host}/o/k:image`,
  );

  for (const reference of [`${registry.host}/o/k:files`, `${registry.host}/o/k:image`, `oci:${image}:k`]) {
    const { kernelPath, modulesPath = "" } = await rig.fetch({ kind: "artifact", reference });
    assert.deepEqual(readFileSync(kernelPath), kernel, reference);
    assert.equal(readFileSync(join(modulesPath, "kernel/a.ko"), "utf8"), "a");
    assert.ok(existsSync(join(modulesPath, "modules.builtin")));
  }
});
