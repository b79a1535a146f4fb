import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { BootArtifactsSchema, ImageSchema } from "../../gen/banger/image/v1/image_pb.ts";
import {
  GetImageResponseSchema,
  ImageService,
  ListImagesResponseSchema,
} from "../../gen/banger/image/v1/image_service_pb.ts";
import { KernelService, ListKernelsResponseSchema } from "../../gen/banger/image/v1/kernel_service_pb.ts";
import { BangerError } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { unary } from "../../src/service/routes.ts";
import * as make from "./events.ts";
import { banger } from "./run-banger.ts";
import { scriptedServer } from "./scripted-server.ts";

/** Answers that are right, and would leave a newcomer without the next step. */
const { method } = ImageService;

test("image inspect --disk: with --vmm alone, and told of where it is not there", async () => {
  const boot = { kernelPath: "/k", kernelFormat: "bzImage", kernelVersion: "6.1" };
  const withKernel = create(ImageSchema, { ...make.image, boot: create(BootArtifactsSchema, boot) });
  await using server = await scriptedServer(
    unary(method.getImage, async () => create(GetImageResponseSchema, { image: withKernel })),
  );
  const inspect = (...words: readonly string[]) =>
    banger(["--socket", server.socketPath, "image", "inspect", "debian-bookworm", ...words]);
  const alone = await inspect("--disk", "/x.ext4");
  assert.deepEqual(alone, {
    code: 2,
    stdout: "",
    stderr:
      "banger: --disk goes with --vmm\n  → Add --vmm, which takes firecracker, qemu, cloud-hypervisor.\n",
  });
  await using place = await makeTempDir("banger-disk-");
  const disk = join(place.path, "my disk");
  const missing = await inspect("--vmm", "qemu", "--disk", disk);
  assert.equal(missing.code, 0, missing.stderr);
  assert.ok(
    missing.stderr.includes(
      `! the disk ${disk} is not there yet: \`banger image export debian-bookworm -o '${disk}'\` makes one\n`,
    ),
    missing.stderr,
  );
  assert.match(
    (await inspect("--vmm", "qemu", "--disk", place.path)).stderr,
    /! the disk .* is neither a file/,
  );
  await writeFile(disk, "");
  assert.doesNotMatch((await inspect("--vmm", "qemu", "--disk", disk)).stderr, /the disk/);
  // Nobody's machine may write to the published image by naming it as its own.
  const published = await inspect("--vmm", "qemu", "--disk", make.image.rootfsPath);
  assert.match(published.stderr, /^! what the machine writes is thrown away at its end/);
});

test("what is no socket is said to be none", async () => {
  for (const path of ["/etc/passwd", "/etc"]) {
    const ran = await banger(["--socket", path, "image", "ls"]);
    assert.deepEqual(ran, {
      code: 2,
      stdout: "",
      stderr: `banger: ${path} is no socket\n  → Name the socket that bangerd serves, with --socket or BANGER_SOCKET.\n`,
    });
  }
});

test("where there is nothing to list, what to do is said beside the empty list", async () => {
  await using server = await scriptedServer(
    unary(method.listImages, async () => create(ListImagesResponseSchema, {})),
    unary(KernelService.method.listKernels, async () => create(ListKernelsResponseSchema, {})),
  );
  const list = (...words: readonly string[]) => banger(["--socket", server.socketPath, ...words]);
  assert.match(
    (await list("image", "ls")).stderr,
    /^There are no images with a name yet: `banger image pull/,
  );
  assert.match((await list("image", "ls", "--prefix", "x")).stderr, /^There are no such images/);
  assert.match(
    (await list("kernel", "ls")).stderr,
    /^There are no kernels here yet: `banger kernel pull --help`/,
  );
  assert.equal((await list("image", "ls", "--json")).stderr, "");
});

test("daemon status of one that hangs tells what can be told without it", async () => {
  await using server = await scriptedServer(
    unary(DaemonService.method.getDaemonStatus, async () => {
      throw new BangerError("DAEMON_UNREACHABLE", "it takes connections but does not answer", {
        op: "t",
        hint: "",
      });
    }),
  );
  await using place = await makeTempDir("banger-hung-");
  const env = { HOME: place.path };
  const ran = await banger(["--socket", server.socketPath, "daemon", "status"], env);
  assert.equal(ran.code, 4);
  assert.match(ran.stdout, /\(no daemon answers\)\n[^]*✓ node: /);
  assert.equal(ran.stderr, "banger: it takes connections but does not answer\n");
});

test("a field's violation that says what the message says is not said twice", async () => {
  await using server = await scriptedServer(
    unary(method.getImage, async () => {
      const fields = [{ field: "size_bytes", description: "It is less than 4096 bytes." }];
      throw new BangerError("SIZE_INVALID", "size_bytes is less than 4096 bytes", {
        op: "read",
        hint: "",
        fields,
      });
    }),
  );
  const ran = await banger(["--socket", server.socketPath, "image", "inspect", "x"]);
  assert.equal(ran.stderr, "banger: size_bytes is less than 4096 bytes\n");
});
