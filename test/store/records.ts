import { digestOf, type Digest } from "../../src/base/digest.ts";
import { newImageId } from "../../src/images/layout.ts";
import type { BootRecord } from "../../src/kernel/kernel-record.ts";
import type { ImageRecord, PullRecord } from "../../src/store/records.ts";

/** A digest that stands for some bytes. */
export function digestFor(text: string): Digest {
  return digestOf(Buffer.from(text));
}

/** What stands beside an image, with something in every field. */
function bootRecord(): BootRecord {
  return {
    kernelName: "debian-cloud",
    kernelVersion: "6.1.0-42-cloud-amd64",
    kernelFormat: "bzImage",
    kernelDigest: digestFor("kernel"),
    pvh: true,
    hasInitrd: true,
    hasModules: true,
    modulesInRootfs: true,
    builtins: ["ext4", "nvme"],
    rootDevice: "/dev/nvme0n1",
    commandLine: "console=ttyS0 root=/dev/nvme0n1 rw",
    sharing: "link",
    warnings: ["a warning"],
  };
}

/** A whole record with something in every field; tests change what they are about. */
export function imageRecord(changes: Partial<ImageRecord> = {}): ImageRecord {
  return {
    id: newImageId(),
    name: "app-latest",
    repository: "registry.example/o/app",
    reference: "registry.example/o/app:latest",
    manifestDigest: digestFor("manifest"),
    indexDigest: digestFor("index"),
    configDigest: digestFor("config"),
    platform: { os: "linux", architecture: "arm64", variant: "v8" },
    createdAt: 1_700_000_000_000,
    optionsKey: "builder=e2fsprogs",
    builder: "e2fsprogs",
    rootfsSizeBytes: 4 * 1024 ** 3,
    rootfsAllocatedBytes: 123_456_789,
    rootfsDigest: undefined,
    filesystemUuid: "01234567-89ab-cdef-0123-456789abcdef",
    inodeCount: 12_345,
    contentBytes: 98_765_432,
    layers: [
      {
        digest: digestFor("layer 1"),
        diffId: digestFor("diff 1"),
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        sizeBytes: 1000,
        inflatedBytes: 3000,
        entryCount: 10,
      },
      {
        digest: digestFor("layer 2"),
        diffId: digestFor("diff 2"),
        mediaType: "application/vnd.oci.image.layer.v1.tar+zstd",
        sizeBytes: 2000,
        inflatedBytes: 6000,
        entryCount: 20,
      },
    ],
    losses: [
      {
        kind: "XATTR_NAMESPACE",
        path: "/etc/a\\xff",
        layerDigest: digestFor("layer 1"),
        entryNumber: 3,
        detail: "The namespace `os2.` is not one that ext4 holds.",
      },
    ],
    config: {
      entrypoint: ["/bin/sh", "-c"],
      cmd: ["true"],
      env: ["PATH=/usr/bin", "LANG=C.UTF-8"],
      workingDir: "/srv",
      user: "1000:1000",
      labels: { "org.opencontainers.image.title": "café", __proto__x: "1" },
      exposedPorts: ["80/tcp"],
      stopSignal: "SIGTERM",
    },
    stageTimes: [
      { stage: "resolve", durationMs: 12 },
      { stage: "build", durationMs: 345.5 },
    ],
    injectedFiles: [
      {
        path: "/usr/local/bin/agent",
        mode: 0o755,
        sizeBytes: 12,
        digest: digestFor("agent"),
        linkTarget: "",
        replaced: false,
      },
      {
        path: "/sbin/init",
        mode: 0o777,
        sizeBytes: 0,
        digest: undefined,
        linkTarget: "a",
        replaced: true,
      },
    ],
    scrubbedPaths: ["/etc/machine-id"],
    bootReadiness: { initPath: "/sbin/init", obstacles: ["there is none"] },
    kernelId: undefined,
    boot: bootRecord(),
    ...changes,
  };
}

export function pullRecord(changes: Partial<PullRecord> = {}): PullRecord {
  return {
    id: `p${newImageId()}`,
    reference: "registry.example/o/app:latest",
    name: "app-latest",
    state: "running",
    startedAt: 1_700_000_000_000,
    endedAt: undefined,
    manifestDigest: undefined,
    imageId: undefined,
    stageTimes: [],
    failureReason: "",
    failureMessage: "",
    detached: false,
    ...changes,
  };
}
