import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { runProgram } from "./program.ts";
import { tarOf } from "./tar-of.ts";

/** Enough of a distribution to boot, with a setuid program, a file capability, an ACL and device nodes in it. */
const packages = ["systemd-sysv", "uidmap", "iputils-ping"];

const work = join(import.meta.dirname, "..", ".work");

/** Debian's root as a tar, made once for all tests of a checkout. */
export function debianRoot(): Buffer {
  const made = join(work, `debian-${packages.join("-")}.tar`);
  if (!existsSync(made)) {
    mkdirSync(work, { recursive: true });
    const temporary = join(work, `debian-${process.pid}.tar`);
    runProgram("mmdebstrap", [
      "--quiet",
      "--variant=minbase",
      `--include=${packages.join(",")}`,
      "bookworm",
      temporary,
    ]);
    renameSync(temporary, made);
  }
  return readFileSync(made);
}

/** Kinds, owners, times and names that a distribution's packages don't have. */
function oddThings(): Promise<Buffer> {
  return tarOf((put) => {
    put({ name: "opt/odd/", type: "directory", mode: 0o1777, uid: 1000, gid: 1000 });
    put({ name: "opt/odd/set-both", mode: 0o6755, uid: 7, gid: 8 }, "#!/bin/sh\n");
    put(
      { name: "opt/odd/hidden", mode: 0o004, pax: { uid: "4000000000", gid: "70000" } },
      "not for its owner",
    );
    put({ name: "opt/odd/nanoseconds", pax: { mtime: "1699999999.123456789" } }, "n");
    put({ name: "opt/odd/before-1970", pax: { mtime: "-86399.5" } }, "b");
    put({ name: "opt/odd/after-2038", pax: { mtime: "4102444800.25" } }, "a");
    put({ name: "opt/odd/Grüße \"mit\" 'Zeichen' <12> \\", mode: 0o640 }, "q");
    put({ name: `opt/odd/${"n".repeat(255)}` }, "long");
    put({ name: "opt/odd/user-attribute", pax: { "SCHILY.xattr.user.note": "a note, with spaces" } }, "x");
    put({ name: "opt/odd/pipe", type: "fifo", mode: 0o620, uid: 3 });
    put({ name: "opt/odd/disk", type: "block-device", mode: 0o660, gid: 6, devmajor: 259, devminor: 70_000 });
    put({ name: "opt/odd/tty", type: "character-device", mode: 0o600, devmajor: 4, devminor: 64 });
    put({ name: "opt/odd/names/", type: "directory" });
    put({ name: "opt/odd/names/first", mode: 0o600 }, "one inode");
    for (let at = 0; at < 5; at++) {
      put({ name: `opt/odd/names/n${at}`, type: "link", linkname: "opt/odd/names/first" });
    }
    put({ name: "opt/odd/link", type: "symlink", linkname: `/nowhere/${"x".repeat(200)}`, uid: 5, gid: 6 });
    put({ name: "bin/through-a-link", mode: 0o755 }, "bin is a symlink to usr/bin");
  });
}

/** What a third layer takes away and puts in its place. */
function changes(): Promise<Buffer> {
  return tarOf((put) => {
    put({ name: "usr/share/doc/", type: "directory", mode: 0o755 });
    put({ name: "usr/share/doc/.wh..wh..opq" });
    put({ name: "usr/share/doc/README" }, "only this is left");
    put({ name: "etc/.wh.motd" });
    put({ name: "opt/odd/names/.wh.first" });
    put({ name: "opt/odd/names/n0", mode: 0o644, uid: 9 }, "no longer of the inode");
    put({ name: "usr/share/man", type: "symlink", linkname: "doc" });
    put({ name: "opt/odd/pipe/", type: "directory" });
    put({ name: "opt/odd/pipe/inside" }, "a directory where a pipe was");
    put({ name: "usr/bin/", type: "directory", mode: 0o755, gid: 50 });
  });
}

export interface LayoutOptions {
  /** Leaves layers as plain tar. */
  readonly plain?: boolean;
  /** Of the process; the default runs a shell. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Writes layers as an OCI layout under the tag `latest`. */
export function writeLayout(folder: string, layers: readonly Buffer[], options: LayoutOptions = {}): void {
  const blobs = join(folder, "blobs", "sha256");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(blobs, { recursive: true });
  const hex = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const put = (mediaType: string, bytes: Buffer): Record<string, unknown> => {
    writeFileSync(join(blobs, hex(bytes)), bytes);
    return { mediaType, digest: `sha256:${hex(bytes)}`, size: bytes.length };
  };
  const type = "application/vnd.oci.image";
  const plain = options.plain === true;
  const descriptors = layers.map((layer) =>
    put(`${type}.layer.v1.tar${plain ? "" : "+gzip"}`, plain ? layer : gzipSync(layer, { level: 1 })),
  );
  const config = {
    architecture: "amd64",
    os: "linux",
    config: options.config ?? { Cmd: ["/bin/bash"], Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${hex(layer)}`) },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: put(`${type}.config.v1+json`, Buffer.from(JSON.stringify(config))),
    layers: descriptors,
  };
  const described = put(`${type}.manifest.v1+json`, Buffer.from(JSON.stringify(manifest)));
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const index = { schemaVersion: 2, manifests: [{ ...described, annotations }] };
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(join(folder, "index.json"), JSON.stringify(index));
}

/** The Debian image of the tests: a real root, odd things over it, and changes to both. */
export async function debianLayers(): Promise<readonly Buffer[]> {
  return [debianRoot(), await oddThings(), await changes()];
}

/** The same as a layout, with layers of the test's own on top. */
export async function writeDebianLayout(folder: string, more: readonly Buffer[] = []): Promise<void> {
  writeLayout(folder, [...(await debianLayers()), ...more]);
}

/** What umoci makes of it: a tree to compare with, made by somebody else's program. */
export function umociUnpack(layout: string, target: string): void {
  runProgram("umoci", ["raw", "unpack", "--image", `${layout}:latest`, target]);
}
