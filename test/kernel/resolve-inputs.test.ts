import assert from "node:assert/strict";
import { chmod, mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { kernelDir, kernelPathsIn, kernelsDir } from "../../src/kernel/layout.ts";
import { foreseeKernel, resolveKernelInputs, type ResolveOptions } from "../../src/kernel/resolve-inputs.ts";
import { stageBootArtifacts } from "../../src/kernel/stage-boot.ts";
import { entryOf, makeStoreRig, release } from "./store-rig.ts";

const signal = new AbortController().signal;

function optionsFor(architecture: string, onFetch: () => void = () => {}): ResolveOptions {
  return { architecture, signal, limits: defaultLimits, onFetch, onProgress: () => {} };
}

test("a kernel that is here is taken before any catalog is asked, and held while it is used", async () => {
  await using rig = await makeStoreRig();
  const kernels = rig.withCatalog({
    entries: [entryOf("cloud")],
    fetch: () => assert.fail("nothing is fetched"),
  });
  const kernel = await kernels.import("cloud", rig.files, signal);
  {
    const ref = { kind: "ref", ref: "cloud" } as const;
    await using inputs = await resolveKernelInputs(
      kernels,
      ref,
      optionsFor("amd64", () => assert.fail()),
    );
    assert.equal(inputs.id, kernel.id);
    await assert.rejects(kernels.remove(kernel, false), (error) => hasReason(error, "KERNEL_IN_USE"));
  }
  await kernels.remove(kernel, false);
});

test("one that is not here is fetched, once that is told", async () => {
  await using rig = await makeStoreRig();
  const kernels = rig.withCatalog({ entries: [entryOf("cloud")] });
  const ref = { kind: "ref", ref: "cloud" } as const;
  assert.equal(await foreseeKernel(kernels, ref, { architecture: "amd64", signal }), undefined);
  assert.deepEqual(await rig.store.allKernels(), [], "foreseeing writes nothing");
  let told = 0;
  await using inputs = await resolveKernelInputs(
    kernels,
    ref,
    optionsFor("amd64", () => told++),
  );
  assert.deepEqual([inputs.name, inputs.facts.version, told], ["cloud", release, 1]);
  assert.equal((await foreseeKernel(kernels, ref, { architecture: "amd64", signal }))?.name, "cloud");
});

test("a kernel for another processor than the image's is refused, a 64-bit one takes 32-bit images", async () => {
  await using rig = await makeStoreRig();
  await rig.kernels.import("cloud", rig.files, signal);
  const ref = { kind: "ref", ref: "cloud" } as const;
  const files = { kind: "files", files: { ...rig.files } } as const;
  for (const selection of [ref, files]) {
    await assert.rejects(resolveKernelInputs(rig.kernels, selection, optionsFor("arm64")), (error) =>
      hasReason(error, "KERNEL_MISMATCH"),
    );
  }
  await using _inputs = await resolveKernelInputs(rig.kernels, ref, optionsFor("386"));
  assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), ["cloud"], "and nothing half staged");
});

test("one that was brought in for nobody but an image of another processor is not kept", async () => {
  await using rig = await makeStoreRig();
  const ref = { kind: "ref", ref: "artifact:registry.example/k:1" } as const;
  const mismatch = (error: unknown) => hasReason(error, "KERNEL_MISMATCH");
  const kernels = rig.withCatalog({ entries: [] });
  await assert.rejects(resolveKernelInputs(kernels, ref, optionsFor("arm64")), mismatch);
  assert.deepEqual(await rig.store.allKernels(), []);
  assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), []);

  // Somebody else wants it at the same time, whoever came first: an image of its processor, or who asked for it.
  for (const other of ["386", undefined]) {
    for (const isFirst of [true, false]) {
      const wanted = await kernels.choose(ref.ref, other, signal);
      const fetch = () => kernels.fetch(wanted, { signal, onProgress: () => {}, neededFor: other });
      const refuse = () => assert.rejects(resolveKernelInputs(kernels, ref, optionsFor("arm64")), mismatch);
      const [kernel] = await (isFirst
        ? Promise.all([fetch(), refuse()])
        : Promise.all([refuse(), fetch()]).then(([, fetched]) => [fetched] as const));
      assert.deepEqual(await rig.store.allKernels(), [{ id: kernel.id, name: kernel.name }]);
      // One that was here before stays, as somebody brought it in.
      await refuse();
      assert.deepEqual(await rig.store.allKernels(), [{ id: kernel.id, name: kernel.name }]);
      await kernels.remove(kernel, false);
    }
  }
});

test("a kernel that was written to behind the store's back is not used", async () => {
  await using rig = await makeStoreRig();
  await rig.kernels.import("cloud", rig.files, signal);
  const { kernel } = kernelPathsIn(kernelDir(rig.stateDir, "cloud"));
  const bytes = await readFile(kernel);
  bytes[20_000] = 1;
  await chmod(kernel, 0o644);
  await writeFile(kernel, bytes);
  const ref = { kind: "ref", ref: "cloud" } as const;
  await assert.rejects(resolveKernelInputs(rig.kernels, ref, optionsFor("amd64")), (error) => {
    assert.ok(hasReason(error, "DIGEST_MISMATCH"));
    return /kernel rm --force cloud/.test(error.hint);
  });
});

test("what was given as files is staged beside an image, and outlives the folder where it was checked", async () => {
  await using rig = await makeStoreRig();
  const dir = join(rig.stateDir, "image");
  await mkdir(dir);
  {
    const selection = { kind: "files", files: rig.files } as const;
    await using kernel = await resolveKernelInputs(rig.kernels, selection, optionsFor("amd64"));
    assert.deepEqual([kernel.name, kernel.id], ["", undefined]);
    const boot = await stageBootArtifacts({
      ...{ kernel, dir, signal, limits: defaultLimits, modulesInRootfs: false },
      filesystemUuid: "01234567-89ab-8def-8123-456789abcdef",
      initPath: "/lib/systemd/systemd",
    });
    assert.notEqual(boot.sharing, "copy");
    assert.equal(
      boot.commandLine,
      "console=ttyS0 root=UUID=01234567-89ab-8def-8123-456789abcdef rw init=/lib/systemd/systemd",
    );
    assert.equal(boot.rootDevice, "/dev/vda", "an initrd brings virtio");
  }
  assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), []);
  assert.deepEqual((await readdir(dir)).sort(), ["initrd", "kernel", "modules"]);
  assert.deepEqual(await readFile(join(dir, "kernel")), await readFile(rig.files.kernelPath));
  assert.equal((await stat(join(dir, "kernel"))).nlink, 1);
  assert.equal((await stat(join(dir, "modules", "modules.builtin"))).mode & 0o777, 0o444);
});
