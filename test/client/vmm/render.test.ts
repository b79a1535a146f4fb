import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test, { describe } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ImageSchema } from "../../../gen/banger/image/v1/image_pb.ts";
import { hasReason } from "../../../src/base/error.ts";
import { machineOf, type Machine } from "../../../src/client/vmm/machine.ts";
import { renderMachine } from "../../../src/client/vmm/render.ts";
import { shellCommand, shellWord } from "../../../src/base/shell-word.ts";

const cloud: Machine = {
  architecture: "amd64",
  kernelPath: "/state/images/1/kernel",
  kernelFormat: "bzImage",
  pvh: true,
  initrdPath: "",
  hasInitrd: false,
  builtins: ["ext4", "nvme"],
  disk: "/state/images/1/rootfs.ext4",
  shared: true,
  filesystemUuid: "01234567-89ab-8def-8123-456789abcdef",
  init: undefined,
};

/** The words that a shell makes of it. */
function words(lines: readonly string[]): readonly string[] {
  const said = spawnSync("sh", ["-c", `program() { printf '%s\\0' "$@"; }; program ${lines.join("\n")}`], {
    encoding: "utf8",
  });
  assert.equal(said.status, 0, said.stderr);
  return said.stdout.split("\0").slice(0, -1);
}

function valueOf(all: readonly string[], option: string): string | undefined {
  return all[all.indexOf(option) + 1];
}

describe("what a shell reads", () => {
  const awkward = ["plain", "two words", "it's", '$HOME `id` \\ "x"', "a\nb", "", "~", "*", "-n", "grün;rm"];
  for (const word of awkward) {
    test(`${JSON.stringify(word)} is one word`, () => assert.deepEqual(words([shellWord(word)]), [word]));
  }
  test("a command over several lines is one", () =>
    assert.deepEqual(words(shellCommand("p", [["-a", "b c"], ["-d"]])), ["p", "-a", "b c", "-d"]));
});

describe("QEMU", () => {
  const render = (changes: Partial<Machine>) => words(renderMachine("qemu", { ...cloud, ...changes }).lines);

  const buses: readonly (readonly [Partial<Machine>, string, string, string])[] = [
    [{}, "pc", "nvme,drive=root,serial=root", "root=/dev/nvme0n1"],
    [{ builtins: undefined }, "pc", "virtio-blk-pci,drive=root", "root=/dev/vda"],
    [{ builtins: ["ext4", "virtio_blk", "virtio_pci"] }, "pc", "virtio-blk-pci,drive=root", "root=/dev/vda"],
    [
      { builtins: ["ext4", "virtio_blk", "virtio_mmio"] },
      "microvm",
      "virtio-blk-device,drive=root",
      "root=/dev/vda",
    ],
    [
      { hasInitrd: true, initrdPath: "/state/images/1/initrd" },
      "pc",
      "virtio-blk-pci,drive=root",
      `root=UUID=${cloud.filesystemUuid}`,
    ],
  ];
  for (const [changes, machine, device, root] of buses) {
    test(`${JSON.stringify(changes)} gets ${device}`, () => {
      const all = render(changes);
      assert.equal(all[0], "qemu-system-x86_64");
      assert.equal(valueOf(all, "-machine"), machine);
      assert.equal(valueOf(all, "-device"), device);
      assert.ok(valueOf(all, "-append")?.split(" ").includes(root));
      assert.equal(all.includes("-initrd"), changes.hasInitrd === true);
    });
  }

  test("a published image is never written to, a copy of one's own is", () => {
    assert.match(valueOf(render({}), "-drive") ?? "", /,snapshot=on$/);
    assert.doesNotMatch(valueOf(render({ shared: false, disk: "/x" }), "-drive") ?? "", /snapshot/);
  });

  test("a path with commas, quotes and spaces stays one path", () => {
    const disk = "/a,b/it's a disk.ext4";
    assert.match(valueOf(render({ disk }), "-drive") ?? "", /^file=\/a,,b\/it's a disk\.ext4,format=raw,/);
  });

  test("an arm64 image has its program, machine and console", () => {
    const all = render({ architecture: "arm64", kernelFormat: "Image", builtins: undefined });
    assert.equal(all[0], "qemu-system-aarch64");
    assert.equal(valueOf(all, "-machine"), "virt");
    assert.match(valueOf(all, "-append") ?? "", /^console=ttyAMA0 /);
  });

  test("an init that the kernel does not look for is said, and what can't work is told", () => {
    assert.match(
      valueOf(render({ init: "/lib/systemd/systemd" }), "-append") ?? "",
      / init=\/lib\/systemd\/systemd$/,
    );
    const { warnings } = renderMachine("qemu", {
      ...cloud,
      kernelFormat: "vmlinux",
      pvh: false,
      builtins: ["nvme"],
    });
    assert.match(warnings.join("\n"), /only by PVH/);
    assert.match(warnings.join("\n"), /ext4 as a module only/);
  });
});

describe("Firecracker", () => {
  const render = (changes: Partial<Machine>) => {
    const { lines, warnings } = renderMachine("firecracker", { ...cloud, ...changes });
    const config: unknown = JSON.parse(lines.join("\n"));
    return { config, warnings: warnings.join("\n") };
  };

  test("gets a configuration that is JSON, whatever the path", () => {
    const disk = '/a "b"\\c/rootfs.ext4';
    const { config, warnings } = render({
      kernelFormat: "vmlinux",
      builtins: ["ext4", "virtio_blk", "virtio_mmio"],
      shared: false,
      init: "/lib/systemd/systemd",
      disk,
    });
    assert.deepEqual(config, {
      "boot-source": {
        kernel_image_path: cloud.kernelPath,
        boot_args: "console=ttyS0 reboot=k panic=1 pci=off init=/lib/systemd/systemd",
      },
      drives: [{ drive_id: "rootfs", path_on_host: disk, is_root_device: true, is_read_only: false }],
      "machine-config": { vcpu_count: 2, mem_size_mib: 512 },
    });
    assert.equal(warnings, "");
  });

  test("is warned of a bzImage, of a disk that it would write to, and of drivers that are modules", () => {
    const { warnings } = render({});
    assert.match(warnings, /bzImage/);
    assert.match(warnings, /published image, read-only/);
    assert.match(warnings, /virtio_blk and virtio_mmio as a module only/);
  });
});

test("Cloud Hypervisor gets a command line, with a path that has a comma in quotes", () => {
  const disk = "/a,b/rootfs.ext4";
  const machine = { ...cloud, disk, hasInitrd: true, initrdPath: "/i", builtins: undefined };
  const all = words(renderMachine("cloud-hypervisor", machine).lines);
  assert.equal(all[0], "cloud-hypervisor");
  assert.equal(valueOf(all, "--disk"), `path="${disk}",readonly=on`);
  assert.equal(valueOf(all, "--initramfs"), "/i");
  assert.equal(valueOf(all, "--cmdline"), `console=ttyS0 root=UUID=${cloud.filesystemUuid} ro panic=1`);
});

test("an image without a kernel says how to get one", () => {
  assert.throws(
    () => machineOf(create(ImageSchema, { name: "bare" }), undefined),
    (error) => hasReason(error, "OPTION_INVALID") && /--kernel-ref/.test(error.hint),
  );
});
