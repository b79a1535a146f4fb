import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { umociUnpack, writeDebianLayout } from "../system/debian-image.ts";
import { differences, readHostTree, type HostEntry } from "../system/host-tree.ts";
import { readMounted, whileMounted } from "../system/mounted.ts";
import { runProgram } from "../system/program.ts";
import { startRealRegistry, type RealRegistry } from "../system/real-registry.ts";

/** A real Debian, through a real registry, against another program's idea of it. */
const folder = mkdtempSync(join(tmpdir(), "banger-debian-"));
const layout = join(folder, "layout");
let registry: RealRegistry;
let expected: ReadonlyMap<string, HostEntry>;

before(async () => {
  await writeDebianLayout(layout);
  umociUnpack(layout, join(folder, "umoci"));
  expected = readHostTree(join(folder, "umoci"));
  registry = await startRealRegistry();
  const push = (tag: string, format: string): string =>
    runProgram("skopeo", [
      "copy",
      "--quiet",
      "--dest-tls-verify=false",
      `--format=${format}`,
      `oci:${layout}:latest`,
      `docker://${registry.host}/library/debian:${tag}`,
    ]);
  push("oci", "oci");
  push("docker", "v2s2");
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Pulls, and returns the path of the ext4. */
async function pull(daemon: DaemonProcess, ...args: readonly string[]): Promise<string> {
  const result = await runCli(
    daemon,
    "image",
    "pull",
    ...args,
    "--no-agents",
    "--progress",
    "plain",
    "--json",
  );
  assert.equal(result.status, 0, result.stderr);
  const image: unknown = JSON.parse(result.stdout);
  assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image && "losses" in image);
  assert.deepEqual(image.losses, []);
  assert.ok(typeof image.rootfsPath === "string");
  return image.rootfsPath;
}

function assertSame(rootfs: string): void {
  assert.equal(runProgram("e2fsck", ["-fn", rootfs]).includes("WARNING"), false);
  assert.deepEqual(differences(expected, readMounted(rootfs)).slice(0, 20), []);
}

test("the image is large and odd enough to prove something", () => {
  assert.ok(expected.size > 5000, `${expected.size} names`);
  const all = [...expected.values()];
  for (const type of ["file", "directory", "symlink", "character", "block", "fifo"]) {
    assert.ok(type === "fifo" || all.some((entry) => entry.type === type), type);
  }
  assert.ok(
    all.some(({ mode, type }) => type === "file" && (mode & 0o4000) !== 0),
    "setuid",
  );
  assert.ok(
    all.some(({ xattrs }) => xattrs.includes("security.capability")),
    "capability",
  );
  assert.ok(
    all.some(({ xattrs }) => xattrs.includes("posix_acl")),
    "ACL",
  );
  assert.ok(
    all.some(({ mtimeNs }) => mtimeNs % 1_000_000_000n !== 0n),
    "nanoseconds",
  );
  assert.ok(
    all.some(({ links, type }) => type === "file" && (links ?? 0n) > 1n),
    "hard links",
  );
});

for (const builder of ["direct", "e2fsprogs"]) {
  test(`pulled as root from an OCI registry by ${builder}, every path is what umoci makes of it`, async () => {
    await using daemon = await startDaemonProcess();
    assertSame(await pull(daemon, `${registry.host}/library/debian:oci`, "--builder", builder));
  });
}

test("two pulls by two users in two folders give the same bytes, and the digest is sha256sum's", async () => {
  const rootfs: string[] = [];
  for (const unprivileged of [false, true]) {
    await using daemon = await startDaemonProcess({ unprivileged });
    const path = await pull(
      daemon,
      `${registry.host}/library/debian:oci`,
      "--builder",
      "direct",
      "--name",
      "one",
    );
    const shown: unknown = JSON.parse((await runCli(daemon, "image", "inspect", "one", "--json")).stdout);
    assert.ok(typeof shown === "object" && shown !== null && "rootfsDigest" in shown);
    assert.equal(shown.rootfsDigest, `sha256:${runProgram("sha256sum", [path]).slice(0, 64)}`);
    rootfs.push(shown.rootfsDigest);
  }
  assert.equal(rootfs[0], rootfs[1]);
});

test("without the e2fsprogs the direct builder builds, and the pull says that e2fsck was not asked", async () => {
  const namespaces = process.getuid?.() === 0 ? "-m" : "-rm";
  // Nothing of direct's is where the e2fsprogs are.
  const wrapper = ["unshare", namespaces, "sh", "-c", 'mount -t tmpfs none /usr/sbin && exec "$@"', "sh"];
  await using daemon = await startDaemonProcess({ wrapper });
  const words = ["image", "pull", `${registry.host}/library/debian:oci`, "--no-agents", "--builder"];
  const pulled = await runCli(daemon, ...words, "direct", "--progress", "json");
  assert.equal(pulled.status, 0, pulled.stderr.slice(-2000));
  assert.ok(/"fsckSkipped":\s*true/.test(pulled.stdout + pulled.stderr));
  const refused = await runCli(daemon, ...words, "e2fsprogs", "--name", "other");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /e2fsprogs/);
});

test("pulled by a user without any right, from Docker's manifest, it is the same", async () => {
  await using daemon = await startDaemonProcess({ unprivileged: true });
  const rootfs = await pull(daemon, `${registry.host}/library/debian:docker`, "--builder", "e2fsprogs");
  assertSame(rootfs);
  // And by the programs that people ask when they wonder what got lost.
  whileMounted(rootfs, (folder) => {
    const asked = (program: string, ...args: readonly string[]): string =>
      runProgram(program, args, { cwd: folder });
    assert.match(asked("getcap", "usr/bin/ping"), /cap_net_raw[+=]ep/);
    assert.match(asked("getfacl", "--numeric", "var/log/journal"), /^group:4:r-x$/m);
    assert.match(asked("getfattr", "-n", "user.note", "opt/odd/user-attribute"), /"a note, with spaces"/);
    assert.equal(asked("stat", "-c", "%a %u:%g", "usr/bin/newuidmap"), "4755 0:0\n");
    assert.equal(asked("stat", "-c", "%F %t:%T", "dev/null"), "character special file 1:3\n");
    assert.equal(asked("stat", "-c", "%F %Hr:%Lr %g", "opt/odd/disk"), "block special file 259:70000 6\n");
  });
});

test("pulled where even user namespaces are refused, it is the same", async () => {
  const bin = join(folder, "bin");
  runProgram("mkdir", [bin]);
  writeFileSync(join(bin, "unshare"), "#!/bin/sh\necho 'unshare: not permitted' >&2\nexit 1\n", {
    mode: 0o755,
  });
  runProgram("chmod", ["755", folder, bin]);
  const env = { PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  await using daemon = await startDaemonProcess({ unprivileged: true, env });
  assertSame(await pull(daemon, `${registry.host}/library/debian:docker`, "--builder", "e2fsprogs"));
});

test("the comparison sees a changed owner, mode, time, attribute, content and name", async () => {
  await using daemon = await startDaemonProcess();
  const rootfs = await pull(daemon, `${registry.host}/library/debian:oci`);
  const spoil = (...commands: readonly string[]): readonly string[] => {
    const copy = join(folder, "spoilt.ext4");
    runProgram("cp", ["--sparse=always", rootfs, copy]);
    for (const command of commands) runProgram("debugfs", ["-w", "-R", command, copy]);
    return differences(expected, readMounted(copy));
  };
  assert.deepEqual(spoil("sif /etc/hostname uid 7"), ["/etc/hostname: uid 0 → 7"]);
  assert.deepEqual(spoil("sif /usr/bin/newuidmap mode 0100755"), ["/usr/bin/newuidmap: mode 2541 → 493"]);
  assert.equal(spoil("sif /etc/hostname mtime @5").length, 1);
  assert.equal(spoil("sif /opt/odd/nanoseconds mtime_extra 0").length, 1);
  assert.equal(spoil("ea_rm /usr/bin/ping security.capability").length, 1);
  assert.deepEqual(spoil("rm /etc/hostname"), ["/etc/hostname: missing"]);
  assert.deepEqual(spoil("symlink /etc/extra x").slice(-1), ["/etc/extra: extra"]);
  writeFileSync(join(folder, "other"), "");
  truncateSync(join(folder, "other"), 3);
  assert.ok(
    spoil("rm /opt/odd/nanoseconds", `write ${join(folder, "other")} /opt/odd/nanoseconds`).length >= 2,
  );
});
