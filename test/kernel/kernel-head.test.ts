import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { describe } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { identifyKernel } from "../../src/kernel/identify.ts";
import { ReleaseSearch, bannerStart, isRelease, parseKernelHead } from "../../src/kernel/kernel-head.ts";
import { debianKernel } from "../system/debian-kernel.ts";
import { arm64Image, banner, bzImage, vmlinux } from "./sample-kernels.ts";

const never = new AbortController().signal;
const release = "6.1.0-42-cloud-amd64";

async function identify(bytes: Buffer) {
  await using folder = await makeTempDir("banger-identify-");
  const path = join(folder.path, "kernel");
  await writeFile(path, bytes);
  const { digest: _digest, ...rest } = await identifyKernel(path, never, "what was given");
  return rest;
}

describe("a kernel's file tells what it is", () => {
  const kernels: readonly (readonly [string, Buffer, object])[] = [
    ["a bzImage", bzImage(release), { format: "bzImage", architecture: "amd64", pvh: true }],
    [
      "a 32-bit bzImage",
      bzImage(release, { xloadflags: 0, protocol: 0x020c }),
      { format: "bzImage", architecture: "386", pvh: true },
    ],
    ["a vmlinux", vmlinux(release), { format: "vmlinux", architecture: "amd64", pvh: true }],
    [
      "a vmlinux without PVH",
      vmlinux(release, { pvh: false }),
      { format: "vmlinux", architecture: "amd64", pvh: false },
    ],
    [
      "a vmlinux of arm64",
      vmlinux(release, { machine: 183 }),
      { format: "vmlinux", architecture: "arm64", pvh: true },
    ],
    ["an Image", arm64Image(release), { format: "Image", architecture: "arm64", pvh: true }],
  ];
  for (const [name, bytes, expected] of kernels) {
    test(name, async () => assert.deepEqual(await identify(bytes), { ...expected, version: release }));
  }

  test("Debian's own, by a reader that never saw it", async () => {
    const debian = debianKernel();
    const found = await identifyKernel(debian.path, never);
    assert.deepEqual([found.format, found.architecture, found.version], ["bzImage", "amd64", debian.release]);
  });

  test("a note whose sizes lead nowhere, or back, is no entry, and ends the reading", async () => {
    const most = 0xffff_ffff;
    for (const nameBytes of [4, 0xffff_fff4, 0x8000_0000, most]) {
      for (const valueBytes of [0, 0xffff_ffe0, 0x7fff_fff0, most]) {
        const { pvh } = await identify(vmlinux(release, { pvh: false, nameBytes, valueBytes }));
        assert.equal(pvh, false, `${nameBytes} and ${valueBytes} bytes`);
      }
    }
  });

  test("its banner is found wherever a read ends", async () => {
    for (let back = 0; back < 100; back += 7) {
      const bytes = vmlinux(release, { at: 1024 * 1024 - back });
      assert.equal((await identify(bytes)).version, release, `${back} bytes before the end of a read`);
    }
  });
});

describe("what is no kernel that a VMM starts is refused, with the reason", () => {
  const refused: readonly (readonly [string, Buffer, RegExp])[] = [
    ["gzip", gzipSync(vmlinux(release)), /compressed with gzip/],
    ["zstd", zstdCompressSync(vmlinux(release)), /compressed with zstd/],
    ["xz", Buffer.concat([Buffer.from("fd377a585a00", "hex"), Buffer.alloc(100)]), /compressed with xz/],
    ["zboot", Buffer.concat([Buffer.from("MZ\0\0zimg"), Buffer.alloc(100)]), /zboot/],
    ["a script", Buffer.from("#!/bin/sh\n"), /is no Linux kernel/],
    ["nothing", Buffer.alloc(0), /is no Linux kernel/],
    ["a program", vmlinux("x").fill(0, 8192), /never says/],
    ["a module", vmlinux(release, { type: 1 }), /can't be started/],
    ["an ELF for SPARC", vmlinux(release, { machine: 43 }), /ELF machine 43/],
    ["an ELF header cut short", vmlinux(release).subarray(0, 40), /cut short/],
    ["an old bzImage", bzImage(release, { protocol: 0x0206 }), /boot protocol 2\.6/],
    ["a bzImage of the protocol before", bzImage(release, { protocol: 0x020b }), /boot protocol 2\.11/],
    ["a setup header without a boot flag", bzImage(release).fill(0, 0x1fe, 0x200), /is no Linux kernel/],
    ["a big-endian Image", arm64Image(release, { bigEndian: true }), /big-endian/],
  ];
  for (const [name, bytes, problem] of refused) {
    test(name, async () => {
      await assert.rejects(identify(bytes), (error) => {
        assert.ok(hasReason(error, "KERNEL_INVALID"), String(error));
        assert.match(error.message, problem);
        assert.match(error.message, /^what was given /);
        return true;
      });
    });
  }

  test("every beginning of a kernel is judged, and none throws", () => {
    for (const kernel of [bzImage(release), vmlinux(release), arm64Image(release)]) {
      for (let length = 0; length < 700; length++) parseKernelHead(kernel.subarray(0, length));
    }
  });
});

const inBanner = (bytes: Buffer) => new ReleaseSearch(bannerStart).take(bytes);

test("a banner is a release and what follows it: no format string, none cut short, none too long", () => {
  assert.equal(inBanner(banner("6.12.5+deb13-cloud-amd64")), "6.12.5+deb13-cloud-amd64");
  assert.equal(inBanner(Buffer.concat([Buffer.from("Linux version %s (%s)\0"), banner("5.4.0")])), "5.4.0");
  assert.equal(inBanner(Buffer.from("Linux version 6.1.0-4")), undefined);
  assert.equal(inBanner(banner(`6.${"1".repeat(80)}`)), undefined);
});

test("a release is one as a whole: it leads nowhere, and is no option", () => {
  for (const good of [release, "6.12.5+deb13-cloud-amd64", "6.1", "6.1.0_x~rc1"]) assert.ok(isRelease(good));
  const bad = [
    "",
    "6",
    "-6.1",
    "../6.1",
    "6.1/..",
    "6.1.0/x",
    "6.1.0 x",
    "6.1.0\n",
    "x6.1",
    `6.${"1".repeat(63)}`,
  ];
  for (const one of bad) assert.ok(!isRelease(one), JSON.stringify(one));
});
