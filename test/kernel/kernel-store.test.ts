import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { describe } from "node:test";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { kernelDir, kernelsDir } from "../../src/kernel/layout.ts";
import { recoverKernels } from "../../src/kernel/recover.ts";
import { imageRecord } from "../store/records.ts";
import { arm64Image, bzImage } from "./sample-kernels.ts";
import { entryOf, makeStoreRig, release, writeKernel, writeModules } from "./store-rig.ts";

const never = new AbortController().signal;
const quiet = { signal: never, onProgress: () => {} };

const failing =
  (reason: Reason, message?: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(hasReason(error, reason), `${reason} expected: ${String(error)}`);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  };

describe("importing", () => {
  test("takes copies in, read-only, with their index, and says what they are", async () => {
    await using rig = await makeStoreRig();
    const kernel = await rig.kernels.import("cloud", rig.files, never);
    const { version, architecture, hasInitrd, builtins, warnings } = kernel;
    assert.deepEqual(
      [version, architecture, hasInitrd, builtins],
      [release, "amd64", true, ["ext4", "nvme"]],
    );
    assert.deepEqual(warnings, []);
    assert.deepEqual(kernel.modules, { release, indexed: true });
    const dir = kernelDir(rig.stateDir, "cloud");
    assert.deepEqual((await readdir(dir)).sort(), ["initrd", "kernel", "kernel.json", "modules"]);
    assert.ok((await readdir(join(dir, "modules"))).includes("modules.dep"));
    assert.equal((await stat(join(dir, "kernel"))).mode & 0o777, 0o444);
    assert.deepEqual((await rig.store.findKernel("cloud"))?.kernel, kernel);
    // The original may change as it likes.
    await appendFile(rig.files.kernelPath, "more");
    assert.deepEqual(await readFile(join(dir, "kernel")), bzImage(release));
  });

  test("a name that is taken is refused, and nothing of the first is touched", async () => {
    await using rig = await makeStoreRig();
    const kernel = await rig.kernels.import("cloud", rig.files, never);
    await assert.rejects(rig.kernels.import("cloud", rig.files, never), failing("NAME_TAKEN"));
    assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), ["cloud"]);
    assert.deepEqual((await rig.store.findKernel("cloud"))?.kernel, kernel);
  });

  test("two of one name at once: one is there whole, the other is told", async () => {
    await using rig = await makeStoreRig();
    const both = await Promise.allSettled(
      ["a", "b"].map(() => rig.kernels.import("cloud", rig.files, never)),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    for (const one of both) if (one.status === "rejected") failing("NAME_TAKEN")(one.reason);
    assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), ["cloud"]);
  });

  test("equal files are equal kernels, and one byte of a module makes another", async () => {
    await using rig = await makeStoreRig();
    const one = await rig.kernels.import("one", rig.files, never);
    const same = await rig.kernels.import("same", rig.files, never);
    await appendFile(join(rig.files.modulesPath, "kernel/fs/some.ko"), "x");
    const other = await rig.kernels.import("other", rig.files, never);
    assert.equal(one.contentDigest, same.contentDigest);
    assert.notEqual(one.contentDigest, other.contentDigest);
  });

  test("modules of another version are a warning that stays with the kernel", async () => {
    await using rig = await makeStoreRig();
    await writeModules(rig.files.modulesPath, "5.10.0-9-amd64");
    const { warnings, modules } = await rig.kernels.import("cloud", rig.files, never);
    assert.match(warnings.join(), /the modules are of Linux 5\.10\.0-9-amd64, and the kernel is 6\.1\.0/);
    assert.equal(modules?.release, "5.10.0-9-amd64");
    assert.deepEqual((await rig.store.findKernel("cloud"))?.kernel.warnings, warnings);
  });

  test("modules that say no release but a path are taken for the folder's, and nothing is made elsewhere", async () => {
    await using rig = await makeStoreRig();
    await writeModules(rig.files.modulesPath, "../../../../pwned");
    const { modules } = await rig.kernels.import("cloud", rig.files, never);
    assert.deepEqual(modules, { release, indexed: true });
    assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), ["cloud"]);
  });

  test("links and special files are left out, and said; `build` and `source` go without saying", async () => {
    await using rig = await makeStoreRig();
    for (const name of ["build", "source"])
      await symlink("/usr/src/linux", join(rig.files.modulesPath, name));
    assert.deepEqual((await rig.kernels.import("quiet", rig.files, never)).warnings, []);
    await symlink("/etc/shadow", join(rig.files.modulesPath, "kernel", "secret.ko"));
    const { warnings } = await rig.kernels.import("said", rig.files, never);
    assert.match(warnings.join(), /1 links and special files .* kernel\/secret\.ko/);
    const names = await readdir(kernelDir(rig.stateDir, "said"), { recursive: true });
    assert.deepEqual(
      names.filter((name) => /secret|build|source/.test(name)),
      [],
    );
  });

  const wrong: readonly (readonly [
    string,
    Reason,
    (files: { kernelPath: string; modulesPath: string }) => Promise<void>,
  ])[] = [
    ["a kernel that is none", "KERNEL_INVALID", ({ kernelPath }) => writeFile(kernelPath, "#!/bin/sh\n")],
    ["a kernel that is missing", "FILE_UNKNOWN", ({ kernelPath }) => rm(kernelPath)],
    [
      "a folder for a kernel",
      "KERNEL_INVALID",
      async ({ kernelPath }) => {
        await rm(kernelPath);
        await mkdir(kernelPath);
      },
    ],
    ["modules that are missing", "FILE_UNKNOWN", ({ modulesPath }) => rm(modulesPath, { recursive: true })],
    [
      "the folder above the modules",
      "KERNEL_INVALID",
      async ({ modulesPath }) => {
        await mkdir(join(modulesPath, "lib"));
        await rename(join(modulesPath, "kernel"), join(modulesPath, "lib", "kernel"));
      },
    ],
  ];
  for (const [name, reason, spoil] of wrong) {
    test(`${name} is refused, and nothing is left`, async () => {
      await using rig = await makeStoreRig();
      await spoil(rig.files);
      await assert.rejects(rig.kernels.import("cloud", rig.files, never), failing(reason));
      assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), []);
      assert.equal(await rig.store.findKernel("cloud"), undefined);
    });
  }
});

describe("fetching from a catalog", () => {
  test("two who ask at once share one download, and both see how far it is", async () => {
    await using rig = await makeStoreRig();
    let fetches = 0;
    const gate = Promise.withResolvers<void>();
    const kernels = rig.withCatalog({
      entries: [entryOf("cloud")],
      fetch: async (folder, _signal, onProgress) => {
        fetches++;
        await gate.promise;
        onProgress({ doneBytes: 5, totalBytes: 10 });
        await writeKernel(folder);
      },
    });
    const seen: number[] = [];
    const wanted = await kernels.choose("cloud", "amd64", never);
    const both = [1, 2].map((who) =>
      kernels.fetch(wanted, { signal: never, onProgress: () => seen.push(who) }),
    );
    gate.resolve();
    const [one, two] = await Promise.all(both);
    assert.equal(one?.id, two?.id);
    assert.equal(fetches, 1);
    assert.deepEqual(seen, [1, 2]);
    assert.equal(one?.source, "artifact:registry.example/cloud:1");
    assert.equal((await kernels.find("cloud"))?.id, one?.id);
  });

  test("two of one name from two sources at once: neither gets the other's", async () => {
    await using rig = await makeStoreRig();
    const kernels = rig.withCatalog({ entries: [] });
    const refs = ["a", "b"].map((host, i) => `https://${host}/vmlinux@sha256:${`${i}`.repeat(64)}`);
    const both = await Promise.allSettled(
      refs.map(async (ref) => await kernels.fetch(await kernels.choose(ref, "amd64", never), quiet)),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    for (const [i, one] of both.entries()) {
      if (one.status === "rejected") failing("NAME_TAKEN")(one.reason);
      else assert.equal(one.value.source, refs[i]);
    }
    assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), ["vmlinux"]);
    for (const [i, ref] of refs.entries()) {
      if (both[i]?.status === "fulfilled") continue;
      const wanted = await kernels.choose(ref, "amd64", never);
      await assert.rejects(kernels.fetch(wanted, quiet), failing("NAME_TAKEN", /another kernel, from https/));
    }
  });

  test("who leaves does not disturb the other; when the last leaves it stops, and nothing is left", async () => {
    await using rig = await makeStoreRig();
    const began = Promise.withResolvers<void>();
    const kernels = rig.withCatalog({
      entries: [entryOf("cloud")],
      fetch: async (_folder, signal) => {
        began.resolve();
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
    const wanted = await kernels.choose("cloud", "amd64", never);
    const callers = [new AbortController(), new AbortController()];
    const both = callers.map(({ signal }) => kernels.fetch(wanted, { signal, onProgress: () => {} }));
    const ended = Promise.allSettled(both);
    await began.promise;
    for (const caller of callers) caller.abort();
    for (const one of await ended) assert.equal(one.status, "rejected");
    assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), []);
  });

  test("a kernel for another processor than the catalog says is refused", async () => {
    await using rig = await makeStoreRig();
    const kernels = rig.withCatalog({
      entries: [entryOf("cloud")],
      fetch: (folder) => writeFile(join(folder, "kernel"), arm64Image(release)),
    });
    const wanted = await kernels.choose("cloud", "amd64", never);
    await assert.rejects(
      kernels.fetch(wanted, quiet),
      failing("KERNEL_MISMATCH", /says that cloud is for amd64/),
    );
    assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), []);
  });

  test("a catalog's warning stays with what came of it", async () => {
    await using rig = await makeStoreRig();
    const warnings = ["catalog main could not be reached: its copy of two hours ago was used"];
    const kernels = rig.withCatalog({ entries: [entryOf("cloud")], warnings });
    const kernel = await kernels.fetch(await kernels.choose("cloud", undefined, never), quiet);
    assert.deepEqual(kernel.warnings, warnings);
    await assert.rejects(
      kernels.choose("other", undefined, never),
      failing("KERNEL_UNKNOWN", /two hours ago/),
    );
  });

  test("a name for several kernels is refused, naming them; one for the image's processor is found", async () => {
    await using rig = await makeStoreRig();
    const source = { kind: "artifact", reference: "registry.example/other:2" } as const;
    const twice = rig.withCatalog({ entries: [entryOf("k"), entryOf("k", { catalog: "second", source })] });
    await assert.rejects(twice.choose("k", "amd64", never), failing("KERNEL_AMBIGUOUS", /main: .*second: /));
    const byArch = rig.withCatalog({
      entries: [entryOf("k"), entryOf("k", { architecture: "arm64", source })],
    });
    assert.equal((await byArch.choose("k", "arm64", never)).entry.architecture, "arm64");
    assert.equal((await byArch.choose("k", "386", never)).entry.architecture, "amd64");
    await assert.rejects(byArch.choose("k", "riscv64", never), failing("KERNEL_MISMATCH", /amd64, arm64/));
  });

  test("a source gets the name that is given, and is found by it again", async () => {
    await using rig = await makeStoreRig();
    const kernels = rig.withCatalog({ entries: [] });
    const ref = "artifact:registry.example/k:1";
    assert.equal(await kernels.find(ref, "mine"), undefined);
    await kernels.fetch(await kernels.choose(ref, undefined, never, "mine"), quiet);
    assert.equal((await kernels.find(ref, "mine"))?.name, "mine");
    assert.equal((await kernels.find("mine"))?.source, ref);
    assert.equal(await kernels.find(ref), undefined, "its usual name is free");
    await assert.rejects(kernels.find("artifact:registry.example/k:2", "mine"), failing("NAME_TAKEN"));
  });

  test("a source itself gets a name, and is not taken for another that has it", async () => {
    await using rig = await makeStoreRig();
    const kernels = rig.withCatalog({ entries: [] });
    const ref = "artifact:registry.example/own/kernel:1";
    assert.equal(await kernels.find(ref), undefined);
    const kernel = await kernels.fetch(await kernels.choose(ref, "amd64", never), quiet);
    assert.equal(kernel.name, "kernel-1");
    assert.equal((await kernels.find(ref))?.id, kernel.id);
    await assert.rejects(kernels.find("artifact:registry.example/other/kernel:1"), failing("NAME_TAKEN"));
  });
});

describe("removing", () => {
  test("gives the bytes back, and leaves nothing", async () => {
    await using rig = await makeStoreRig();
    const kernel = await rig.kernels.import("cloud", rig.files, never);
    assert.equal(await rig.kernels.remove(kernel, false), kernel.sizeBytes + jsonBytes);
    assert.deepEqual(await readdir(kernelsDir(rig.stateDir)), []);
    await assert.rejects(rig.kernels.remove(kernel, false), failing("KERNEL_UNKNOWN"));
  });

  test("waits for the pulls that are at it, unless forced", async () => {
    await using rig = await makeStoreRig();
    const kernel = await rig.kernels.import("cloud", rig.files, never);
    const holds = [rig.kernels.hold(kernel), rig.kernels.hold(kernel)];
    for (const hold of holds) {
      await assert.rejects(rig.kernels.remove(kernel, false), failing("KERNEL_IN_USE"));
      hold[Symbol.dispose]();
    }
    const removing = rig.kernels.remove(kernel, false);
    assert.throws(() => rig.kernels.hold(kernel), failing("KERNEL_UNKNOWN"), "it is on its way out");
    await removing;
    assert.throws(() => rig.kernels.hold(kernel), failing("KERNEL_UNKNOWN"));
  });

  test("who comes second to remove one gives it back to nobody; it is, where the first fails", async () => {
    await using rig = await makeStoreRig();
    const kernel = await rig.kernels.import("cloud", rig.files, never);
    await rig.store.insertImage(imageRecord({ kernelId: kernel.id }));
    const first = rig.kernels.remove(kernel, false);
    await assert.rejects(rig.kernels.remove(kernel, true), failing("KERNEL_UNKNOWN"));
    assert.throws(() => rig.kernels.hold(kernel), failing("KERNEL_UNKNOWN"));
    await assert.rejects(first, failing("KERNEL_IN_USE"));
    rig.kernels.hold(kernel)[Symbol.dispose]();
    await rig.kernels.remove(kernel, true);
  });
});

/** `kernel.json`, which is written once the rest is counted. */
const jsonBytes = 4096;

test("a start puts right what a kill left: half fetches go, rows and folders find together", async () => {
  await using rig = await makeStoreRig();
  const whole = await rig.kernels.import("whole", rig.files, never);
  await rig.kernels.import("lost", rig.files, never);
  await rm(kernelDir(rig.stateDir, "lost"), { recursive: true });
  for (const name of [".staging-0123456789abcdef", ".removing-0123456789abcdef", "orphan", ".other"]) {
    await mkdir(join(kernelsDir(rig.stateDir), name));
    await writeFile(join(kernelsDir(rig.stateDir), name, "kernel"), "half");
  }
  await writeFile(join(kernelsDir(rig.stateDir), "orphan", "kernel.json"), "{}");
  // Somebody's own, in a folder that was called as ours before it was ours.
  await mkdir(join(kernelsDir(rig.stateDir), "linux-6.1"));
  await writeFile(join(kernelsDir(rig.stateDir), "linux-6.1", "kernel"), "theirs");
  const report = await recoverKernels(rig.store, rig.stateDir);
  assert.deepEqual(report, {
    sweptFolders: [".removing-0123456789abcdef", ".staging-0123456789abcdef"],
    orphanFolders: ["orphan"],
    lostKernels: ["lost"],
    unknownNames: [".other", "linux-6.1"],
  });
  assert.deepEqual((await readdir(kernelsDir(rig.stateDir))).sort(), [".other", "linux-6.1", "whole"]);
  assert.deepEqual((await rig.store.findKernel("whole"))?.kernel, whole);
  assert.equal(await rig.store.findKernel("lost"), undefined);
  const again = await recoverKernels(rig.store, rig.stateDir);
  assert.deepEqual([again.sweptFolders, again.orphanFolders, again.lostKernels], [[], [], []]);
});
