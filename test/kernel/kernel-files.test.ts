import assert from "node:assert/strict";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import {
  chooseFiles,
  isKernel,
  isWanted,
  isWantedOfPackage,
  modulesRoot,
  versionInName,
} from "../../src/kernel/kernel-files.ts";
import type { KernelFileNames } from "../../src/kernel/kernel-source.ts";

const refused = (message: RegExp) => (error: unknown) => {
  assert.ok(hasReason(error, "KERNEL_SOURCE_INVALID"), String(error));
  assert.match(error.message, message);
  return true;
};

test("a kernel's parts by their names", () => {
  const table: readonly (readonly [
    paths: readonly string[],
    names: KernelFileNames,
    expected: readonly (string | undefined)[],
  ])[] = [
    [["kernel"], {}, ["kernel", undefined, undefined]],
    [["modules", "modules/kernel", "initrd", "kernel"], {}, ["kernel", "initrd", "modules"]],
    [["kernel", "vmlinuz"], {}, ["kernel", undefined, undefined]],
    [["bzImage", "initramfs.img", "modules.tar.zst"], {}, ["bzImage", "initramfs.img", "modules.tar.zst"]],
    [
      ["boot", "boot/vmlinuz-6.1", "boot/initrd.img-6.1", "lib", "lib/modules", "lib/modules/6.1"],
      {},
      ["boot/vmlinuz-6.1", "boot/initrd.img-6.1", "lib/modules"],
    ],
    [
      ["usr/lib/modules", "usr/lib/modules/6.1/vmlinuz"],
      {},
      ["usr/lib/modules/6.1/vmlinuz", undefined, "usr/lib/modules"],
    ],
    [["a/k", "kernel", "m"], { kernel: "a/k", modules: "m" }, ["a/k", undefined, "m"]],
    [["k", "initrd"], { kernel: "k" }, ["k", "initrd", undefined]],
  ];
  for (const [paths, names, [kernel, initrd, modules]] of table) {
    assert.deepEqual(chooseFiles(paths, names, "x"), { kernel, initrd, modules }, paths.join(" "));
  }
});

test("what is missing or in doubt is refused, and what there is listed", () => {
  assert.throws(
    () => chooseFiles(["a", "b"], {}, "artifact:h/k:1"),
    refused(/^artifact:h\/k:1 has no kernel; it has a, b$/),
  );
  assert.throws(() => chooseFiles([], {}, "x"), refused(/nothing at all/));
  assert.throws(
    () => chooseFiles(["kernel"], { kernel: "k" }, "x"),
    refused(/has no "k".*kernel; it has kernel/),
  );
  assert.throws(() => chooseFiles(["kernel"], { modules: "m" }, "x"), refused(/its modules; it has kernel/));
  assert.throws(
    () => chooseFiles(["boot/vmlinuz-1", "boot/vmlinuz-2"], {}, "x"),
    refused(/several files that can be its kernel: boot\/vmlinuz-1, boot\/vmlinuz-2/),
  );
  const many = Array.from({ length: 25 }, (_, at) => `f${at}`);
  assert.throws(() => chooseFiles(many, {}, "x"), refused(/f19 and 5 more$/));
});

test("what is taken out of an archive", () => {
  const table: readonly (readonly [path: string, names: KernelFileNames, wanted: boolean])[] = [
    ["kernel", {}, true],
    ["kernel", { kernel: "k" }, false],
    ["k", { kernel: "k" }, true],
    ["etc/passwd", {}, false],
    ["modules/kernel/a.ko", {}, true],
    ["modules/kernel/a.ko", { modules: "m" }, false],
    ["m/kernel/a.ko", { modules: "m" }, true],
    ["mm/kernel/a.ko", { modules: "m" }, false],
    ["lib/modules/6.1/modules.order", {}, true],
    ["usr/lib/modules/6.1/modules.order", {}, true],
    ["lib/firmware/x", {}, false],
    ["boot/vmlinuz-6.1", {}, true],
    ["boot/grub/x", {}, false],
  ];
  for (const [path, names, wanted] of table) assert.equal(isWanted(path, names), wanted, path);
  const ofPackage = [
    "boot/vmlinuz-6.1",
    "lib/modules/6.1",
    "lib/modules/6.1/kernel/a.ko",
    "usr/lib/modules/6.1/x",
  ];
  for (const path of ofPackage) assert.equal(isWantedOfPackage(path), true, path);
  for (const path of [
    "kernel",
    "modules/a.ko",
    "boot/System.map-6.1",
    "usr/share/doc/x",
    "lib/modules",
    "etc/x",
  ]) {
    assert.equal(isWantedOfPackage(path), false, path);
  }
});

test("whether a name can be a kernel's, and the version in it", () => {
  for (const name of ["kernel", "vmlinux", "Image", "vmlinuz-6.1", "boot/vmlinuz-6.1"]) {
    assert.equal(isKernel(name, {}), true, name);
  }
  assert.equal(isKernel("modules.tar", {}), false);
  assert.equal(isKernel("kernel", { kernel: "k" }), false);
  assert.equal(versionInName("boot/vmlinuz-6.1.0-42-cloud-amd64"), "6.1.0-42-cloud-amd64");
  assert.equal(versionInName("vmlinuz-6.1"), "6.1");
  assert.equal(versionInName("usr/lib/modules/6.1/vmlinuz"), "6.1");
  assert.equal(versionInName("kernel"), undefined);
});

test("the folder that is itself lib/modules/<version>", () => {
  const table: readonly (readonly [
    paths: readonly string[],
    folder: string,
    expected: string,
    version?: string,
  ])[] = [
    [["modules", "modules/kernel", "modules/modules.builtin"], "modules", "modules"],
    [["modules", "modules/modules.order"], "modules", "modules"],
    [["modules", "modules/6.1.2", "modules/6.1.2/kernel"], "modules", "modules/6.1.2"],
    [["lib/modules/6.1.2", "lib/modules/6.1.2/kernel"], "lib/modules", "lib/modules/6.1.2"],
    [["lib", "lib/modules", "lib/modules/6.1.2", "lib/modules/6.1.2/kernel"], "", "lib/modules/6.1.2"],
    [["modules", "modules/lib/modules/6.1/x"], "modules", "modules/lib/modules/6.1"],
    [["modules", "modules/6.1/x"], "", "modules/6.1"],
    [["lib/modules/6.1/x", "lib/modules/6.2/x"], "lib/modules", "lib/modules/6.2", "6.2"],
  ];
  for (const [paths, folder, expected, version] of table) {
    assert.equal(modulesRoot(paths, folder, version, "x"), expected, paths.join(" "));
  }
  assert.throws(
    () => modulesRoot(["m/6.1/x", "m/6.2/x"], "m", "6.3", "x"),
    refused(/of no certain version: those of 6\.1, 6\.2/),
  );
  assert.throws(
    () => modulesRoot(["m", "m/readme"], "m", undefined, "x"),
    refused(/no certain version: readme/),
  );
  assert.throws(() => modulesRoot(["m"], "m", undefined, "x"), refused(/nothing at all/));
});
