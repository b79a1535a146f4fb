import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { GetDaemonStatusResponseSchema } from "../../../gen/banger/image/v1/daemon_service_pb.ts";
import { ImageSchema } from "../../../gen/banger/image/v1/image_pb.ts";
import {
  FileType,
  ResolveImageResponseSchema,
  VerifyImageResponseSchema,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { CatalogEntrySchema, KernelSchema } from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { PullSchema, PullState } from "../../../gen/banger/image/v1/pull_pb.ts";
import { BangerError } from "../../../src/base/error.ts";
import { daemonText } from "../../../src/client/render/daemon-text.ts";
import { errorLines } from "../../../src/client/render/error.ts";
import { modeText } from "../../../src/client/render/file-text.ts";
import { imageText } from "../../../src/client/render/image-text.ts";
import { catalogTable, kernelTable } from "../../../src/client/render/kernel-text.ts";
import { pullTable } from "../../../src/client/render/pull-text.ts";
import { resolveText } from "../../../src/client/render/resolve-text.ts";
import { isSound, verifyText } from "../../../src/client/render/verify-text.ts";

test("an error: message, fields that add something, hint", () => {
  const error = new BangerError("SIZE_INVALID", "size is negative", {
    op: "x",
    hint: "Give more.",
    fields: [
      { field: "size", description: "size is negative" },
      { field: "name", description: "It is empty." },
    ],
  });
  assert.deepEqual(errorLines(error, false), [
    "banger: size is negative",
    "  name: It is empty.",
    "  → Give more.",
  ]);
  assert.equal(errorLines(error, true)[0], "\u001b[31mbanger:\u001b[39m size is negative");
});

test("an error on a terminal is broken between words", () => {
  const error = new BangerError("DISK_FULL", "no space left on the disk of the state", {
    op: "x",
    hint: "Free some space there.",
  });
  assert.deepEqual(errorLines(error, false, 22), [
    "banger: no space left",
    "    on the disk of",
    "    the state",
    "  → Free some space",
    "    there.",
  ]);
});

test("a daemon's status: failed checks say what to do", () => {
  const status = create(GetDaemonStatusResponseSchema, {
    version: "1.2.3",
    nodeVersion: "26.0.0",
    pid: 7,
    startTime: timestampFromMs(0),
    checks: [
      { name: "node", ok: true, detail: "26.0.0", remedy: "not shown" },
      { name: "mkfs.ext4", ok: false, detail: "not found", remedy: "Install e2fsprogs." },
    ],
  });
  const lines = daemonText(status, 3 * 60_000);
  assert.match(lines.join("\n"), /^started +3 minutes ago$/m);
  assert.deepEqual(lines.slice(-3), ["✓ node: 26.0.0", "✗ mkfs.ext4: not found", "  → Install e2fsprogs."]);
});

test("a daemon's status where none runs: what there is, and no figures that nobody has", () => {
  const status = create(GetDaemonStatusResponseSchema, {
    version: "1.2.3",
    nodeVersion: "26.0.0",
    socketPath: "/s.sock",
    configPath: "/c.toml",
  });
  const text = daemonText(status, 0).join("\n");
  assert.match(text, /^socket +\/s\.sock \(no daemon answers\)$/m);
  assert.match(text, /^config +\/c\.toml \(none there\)$/m);
  assert.doesNotMatch(text, /^(?:pid|started|images|pulls) /m);
});

test("pulls: how long they took, and why they failed", () => {
  const pull = create(PullSchema, {
    id: "p1",
    state: PullState.FAILED,
    startTime: timestampFromMs(0),
    endTime: timestampFromMs(1500),
    reference: "debian",
    failureReason: "DISK_FULL",
  });
  const [, row = ""] = pullTable([pull], 7_200_000);
  assert.match(row, /^p1 +failed +2 hours ago +1.5 s +debian +DISK_FULL$/);
});

test("pulls: no time grows of one that waits, as it may for a daemon", () => {
  const pull = { id: "p1", startTime: timestampFromMs(0), reference: "debian" };
  const [, waiting = "", running = ""] = pullTable(
    [PullState.WAITING, PullState.RUNNING].map((state) => create(PullSchema, { ...pull, state })),
    7_200_000,
  );
  assert.match(waiting, /^p1 +waiting +2 hours ago +debian *$/);
  assert.match(running, /^p1 +running +2 hours ago +2 h\S* .*debian *$/);
});

test("what a pull would do", () => {
  const answer = create(ResolveImageResponseSchema, {
    reference: "docker.io/library/debian:bookworm",
    platform: { os: "linux", architecture: "amd64" },
    availablePlatforms: [
      { os: "linux", architecture: "amd64" },
      { os: "linux", architecture: "arm", variant: "v7" },
    ],
    bytesToFetch: 2048n,
    existingImageId: "abc",
  });
  const text = resolveText(answer).join("\n");
  assert.match(text, /^also offered +linux\/arm\/v7$/m);
  assert.match(text, /^to fetch +2.00 KiB$/m);
  assert.match(text, /^there already +abc$/m);
});

test("a verified image, and one that differs", () => {
  const good = create(VerifyImageResponseSchema, { inodeCount: 3n });
  assert.match(verifyText("x", good).join("\n"), /^x is what its layers say: 3 inodes/);
  const bad = create(VerifyImageResponseSchema, {
    differences: [{ path: "/a\n", field: "mode", expected: "1", found: "2" }],
    truncated: true,
    fsckOutput: "Inode 5 is bad\n\n",
  });
  const lines = verifyText("x", bad);
  assert.match(lines[0] ?? "", /^x is not what its layers say: 1 difference and more/);
  assert.match(lines[2] ?? "", /^\/a\\x0a +mode +1 +2$/);
  assert.equal(lines.at(-1), "e2fsck: Inode 5 is bad");
  const damaged = create(VerifyImageResponseSchema, { inodeCount: 3n, fsckOutput: "Inode 5 is bad" });
  assert.deepEqual(verifyText("x", damaged), [
    "x reads as its layers say (3 inodes), and its file system is damaged",
    "e2fsck: Inode 5 is bad",
  ]);
  assert.deepEqual([good, bad, damaged].map(isSound), [true, false, false]);
});

test("kernels and catalogs", () => {
  const kernel = create(KernelSchema, { name: "k", version: "6.1", architecture: "amd64", sizeBytes: 1024n });
  assert.match(kernelTable([kernel])[1] ?? "", /^k +6.1 +amd64 +1.00 KiB +0$/);
  const entry = create(CatalogEntrySchema, { name: "k", local: true, catalog: "c" });
  assert.match(catalogTable([entry])[1] ?? "", /^k +yes +c$/);
});

test("an image that would not boot says why", () => {
  const image = create(ImageSchema, {
    id: "i",
    bootReadiness: { initPath: "", obstacles: ["there is no init"] },
    stageTimes: [{ stage: "build", duration: durationFromMs(1200) }],
    injectedFiles: [
      { path: "/usr/local", mode: 0o755 },
      { path: "/usr/local/agent", mode: 0o755, sizeBytes: 2048n, digest: "sha256:0", replaced: true },
    ],
    scrubbedPaths: ["/etc/machine-id", "/etc/ssh/\u001b[2J"],
  });
  const text = imageText(image).join("\n");
  assert.match(text, /^injected +2 files and folders, 1 in place of the image's own$/m);
  assert.match(text, /^\/usr\/local\/agent +0755 +2\.00 KiB +yes$/m);
  assert.match(text, /^scrubbed +\/etc\/machine-id, \/etc\/ssh\/\P{Cc}+$/mu);
  assert.match(text, /^name +\(none\)$/m);
  assert.match(text, /^stages +build 1.2 s$/m);
  assert.match(text, /^! does not boot yet: there is no init$/m);
});

const modes: readonly (readonly [FileType, number, string])[] = [
  [FileType.REGULAR, 0o644, "-rw-r--r--"],
  [FileType.REGULAR, 0o6755, "-rwsr-sr-x"],
  [FileType.REGULAR, 0o6644, "-rwSr-Sr--"],
  [FileType.DIRECTORY, 0o1777, "drwxrwxrwt"],
  [FileType.DIRECTORY, 0o1776, "drwxrwxrwT"],
  [FileType.FIFO, 0, "p---------"],
  [FileType.UNSPECIFIED, 0o777, "?rwxrwxrwx"],
];

for (const [type, mode, expected] of modes) {
  test(`mode ${mode.toString(8)} is ${expected}`, () => assert.equal(modeText({ type, mode }), expected));
}
