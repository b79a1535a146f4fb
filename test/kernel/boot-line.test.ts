import assert from "node:assert/strict";
import test from "node:test";
import { bootLine, initWord, missingFor, rootBusOf } from "../../src/kernel/boot-line.ts";
import { parseBuiltin } from "../../src/kernel/modules.ts";

test("the root is on what the kernel has built in, or on what its initrd brings", () => {
  const bus = (builtins: Parameters<typeof rootBusOf>[0]["builtins"], hasInitrd = false) =>
    rootBusOf({ builtins, hasInitrd });
  assert.equal(bus(undefined), "virtio-pci");
  assert.equal(bus([]), "virtio-pci");
  assert.equal(bus(["ext4", "nvme"]), "nvme");
  assert.equal(bus(["ext4", "nvme"], true), "virtio-pci");
  assert.equal(bus(["nvme", "virtio_blk", "virtio_pci"]), "virtio-pci");
  assert.equal(bus(["virtio_blk", "virtio_mmio"]), "virtio-mmio");
  assert.equal(bus(["virtio_blk"]), "virtio-pci");
});

test("what a kernel lacks for its root is said, where anything tells", () => {
  assert.equal(missingFor("nvme", { builtins: ["ext4", "nvme"], hasInitrd: false }), undefined);
  assert.equal(missingFor("nvme", { builtins: undefined, hasInitrd: false }), undefined);
  assert.equal(missingFor("nvme", { builtins: [], hasInitrd: true }), undefined);
  assert.match(
    missingFor("virtio-pci", { builtins: ["ext4"], hasInitrd: false }) ?? "",
    /virtio_blk and virtio_pci/,
  );
});

test("a command line has console, root and an init that the kernel would not look for", () => {
  const line = { architecture: "amd64", root: "/dev/vda", readOnly: false, init: undefined };
  assert.equal(bootLine(line), "console=ttyS0 root=/dev/vda rw");
  const other = {
    ...line,
    architecture: "arm64",
    readOnly: true,
    init: "/lib/systemd/systemd",
    more: ["panic=1"],
  };
  assert.equal(bootLine(other), "console=ttyAMA0 root=/dev/vda ro panic=1 init=/lib/systemd/systemd");
  assert.equal(initWord("/sbin/init"), undefined);
  assert.equal(initWord(""), undefined);
  assert.equal(initWord("/usr/lib/systemd/systemd"), "/usr/lib/systemd/systemd");
});

test("modules.builtin names drivers by their files, with dashes or underscores", () => {
  const text =
    "kernel/drivers/nvme/host/nvme.ko\nkernel/drivers/block/virtio-blk.ko\nkernel/fs/ext4/ext4.ko\n";
  assert.deepEqual(parseBuiltin(text), ["ext4", "nvme", "virtio_blk"]);
  assert.deepEqual(parseBuiltin(""), []);
});
