import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import type { GuestAsset } from "../../src/guest/asset.ts";
import { injectGuest, type InjectedFile, type InjectionInput } from "../../src/guest/inject.ts";
import { dir, file, hardlink, layer, listing, merge, symlink, type Part } from "../layers/index-builder.ts";
import { assetsOf, fileAsset, noProcess } from "./guest-layer.ts";

const signal = new AbortController().signal;
const init = file("sbin/init", "an init", { mode: 0o755 });

const busybox = file("bin/busybox", "all of it", { mode: 0o755 });

interface Injected {
  readonly files: readonly InjectedFile[];
  readonly paths: readonly string[];
  readonly scrubbed: readonly string[];
  readonly listing: readonly string[];
}

async function inject(
  parts: readonly Part[],
  own: readonly GuestAsset[] = [],
  options: Partial<InjectionInput> = {},
): Promise<Injected> {
  await using temp = await makeTempDir("banger-inject-", tmpdir());
  const indexes = [layer(...parts)];
  const tree = merge(indexes);
  const before = listing(tree);
  const fixed = { config: noProcess, keepIdentity: false, tempDir: temp.path, limits: defaultLimits, signal };
  const injection = await injectGuest({ ...fixed, indexes, tree, assets: assetsOf(own), ...options });
  assert.deepEqual(listing(tree), before, "the image's own tree is left alone");
  assert.equal((await readdir(temp.path)).length, 1);
  await injection[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(temp.path), [], "nothing is left behind");
  const { files, scrubbedPaths: scrubbed } = injection;
  return { files, paths: files.map(({ path }) => path), scrubbed, listing: listing(injection.tree) };
}

const agent = "/usr/local/bin/banger-vsock-agent";

test("what goes in is told with the folders made for it, and belongs to root", async () => {
  const { files, listing: lines } = await inject([init, dir("usr", { mode: 0o700, uid: 5, mtime: 99 })]);
  assert.deepEqual(
    files.map(({ path, mode, sizeBytes, replaced }) => [path, mode, sizeBytes, replaced]),
    [
      ["/usr/local", 0o755, 0, false],
      ["/usr/local/bin", 0o755, 0, false],
      [agent, 0o755, 5, false],
      ["/var", 0o755, 0, false],
      ["/var/lib", 0o755, 0, false],
      ["/var/lib/banger", 0o755, 0, false],
      ["/var/lib/banger/first-boot-pending", 0o644, 0, false],
    ],
  );
  assert.ok(lines.some((line) => line.startsWith(`${agent} file 0755 0:0 0.000000000 links=1`)));
  assert.ok(
    lines.some((line) => line.startsWith("/usr directory 0700 5:0 99.")),
    "what was there stays as it was",
  );
});

test("things land where the image's links lead, inside of it", async () => {
  const cases: readonly (readonly [target: string, place: string])[] = [
    ["../opt/local", "/opt/local"],
    ["/srv/local", "/srv/local"],
    ["nowhere/at/all", "/usr/nowhere/at/all"],
    ["../../../../../tmp/outside", "/tmp/outside"],
    ["/", ""],
  ];
  for (const [target, place] of cases) {
    const { paths } = await inject([init, dir("opt/local"), symlink("usr/local", target)]);
    assert.ok(paths.includes(`${place}/bin/banger-vsock-agent`), `${target}: ${paths.join(" ")}`);
    assert.ok(!paths.includes(agent));
  }
});

test("a circle of links on the way is refused with its reason", async () => {
  await assert.rejects(
    inject([init, symlink("usr/local", "other"), symlink("usr/other", "local")]),
    (error) =>
      hasReason(error, "LAYER_UNSAFE") && /usr\/local\/bin.*circle/.test(error.message) && error.hint !== "",
  );
});

test("what the image has in a thing's place is replaced, and that is told", async () => {
  for (const there of [
    [file(agent, "an older agent")],
    [symlink(agent, "/bin/sh"), file("bin/sh", "sh")],
    [dir(agent), file(`${agent}/inside`)],
  ]) {
    const { files, listing: lines } = await inject([init, ...there]);
    const told = files.find(({ path }) => path === agent);
    assert.deepEqual([told?.replaced, told?.sizeBytes, told?.mode], [true, 5, 0o755]);
    assert.ok(!lines.some((line) => line.includes("inside")));
  }
});

test("the shared identity goes, and nothing else does", async () => {
  const image = [
    init,
    file("etc/machine-id", "0123\n"),
    file("etc/hostname", "name"),
    file("var/lib/dbus/machine-id", "0123\n"),
    file("etc/ssh/ssh_host_rsa_key", "secret", { mode: 0o600 }),
    file("etc/ssh/ssh_host_rsa_key.pub", "public"),
    file("etc/ssh/ssh_config", "kept"),
    hardlink("srv/same", "etc/machine-id"),
  ];
  const { scrubbed, listing: lines, paths } = await inject(image);
  assert.deepEqual(scrubbed, [
    "/etc/machine-id",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_rsa_key.pub",
    "/var/lib/dbus/machine-id",
  ]);
  assert.ok(!paths.includes("/etc/machine-id"));
  const text = lines.join("\n");
  assert.match(text, /^\/etc\/machine-id file 0444 0:0 \S+ links=1 0 /m);
  assert.match(text, /^\/srv\/same file 0644 0:0 \S+ links=1 5 /m);
  assert.doesNotMatch(text, /ssh_host/);
  assert.match(text, /ssh_config/);
});

test("links to ids and keys are seen through; what is empty or missing needs no scrubbing", async () => {
  const linked = await inject([
    init,
    symlink("etc/ssh", "/usr/etc/ssh"),
    file("usr/etc/ssh/ssh_host_ed25519_key", "secret"),
    symlink("etc/machine-id", "/var/lib/dbus/machine-id"),
    symlink("var/lib/dbus/machine-id", "/nowhere"),
  ]);
  assert.deepEqual(linked.scrubbed, ["/etc/machine-id", "/usr/etc/ssh/ssh_host_ed25519_key"]);
  assert.doesNotMatch(linked.listing.join("\n"), /ssh_host/);
  const clean = await inject([
    init,
    file("etc/machine-id", ""),
    symlink("var/lib/dbus/machine-id", "/etc/machine-id"),
  ]);
  assert.deepEqual(clean.scrubbed, []);
  assert.deepEqual((await inject([init])).scrubbed, []);
});

test("an identity that is to be kept is also kept at first boot", async () => {
  const image = [init, file("etc/machine-id", "0123\n"), file("etc/ssh/ssh_host_rsa_key", "secret")];
  const kept = await inject(image, [], { keepIdentity: true });
  assert.deepEqual(kept.scrubbed, []);
  assert.match(kept.listing.join("\n"), /ssh_host_rsa_key/);
  const marker = kept.files.find(({ path }) => path.endsWith("first-boot-pending"));
  assert.equal(marker?.sizeBytes, "done machine-id\ndone ssh-keys\n".length);
});

test("an image without an init gets one, and what to run; an init that is none is none", async () => {
  const config = { ...noProcess, cmd: ["/bin/app"] };
  const none: readonly (readonly Part[])[] = [
    [],
    [file("sbin/init", "not executable")],
    [symlink("sbin/init", "/lib/systemd/systemd")],
    [symlink("sbin/init", "init")],
    [dir("sbin/init", { mode: 0o755 })],
    // As in Alpine's image: a link for all that BusyBox can do, and nothing that its init would start.
    [busybox, symlink("sbin/init", "/bin/busybox"), file("etc/inittab", "::sysinit:/sbin/openrc sysinit\n")],
    [busybox, hardlink("sbin/init", "bin/busybox")],
  ];
  for (const parts of none) {
    const { paths, files } = await inject(parts, [], { config });
    assert.ok(paths.includes("/sbin/init") && paths.includes("/etc/banger/init.conf"), paths.join(" "));
    assert.equal(files.find(({ path }) => path === "/etc/banger/init.conf")?.mode, 0o600);
  }
  const some: readonly (readonly Part[])[] = [
    [init],
    [
      symlink("sbin", "usr/sbin"),
      symlink("usr/sbin/init", "../lib/systemd/systemd"),
      file("usr/lib/systemd/systemd", "", { mode: 0o755 }),
    ],
    [file("bin/init", "", { mode: 0o755 })],
    [file("usr/lib/systemd/systemd", "", { mode: 0o755 }), symlink("lib", "usr/lib")],
    [busybox, symlink("sbin/init", "/bin/busybox"), file("sbin/openrc", "", { mode: 0o755 })],
    [busybox, symlink("sbin/init", "/bin/busybox"), file("etc/init.d/rcS", "", { mode: 0o755 })],
  ];
  for (const parts of some) {
    const { paths } = await inject(parts, [], { config });
    assert.ok(
      !paths.some((path) => path.endsWith("/sbin/init") || path.includes("init.conf")),
      paths.join(" "),
    );
  }
});

test("a folder of one's own wins, keeps the image's folders as they are, and may bring an init", async () => {
  const own: readonly GuestAsset[] = [
    { kind: "directory", path: "etc", mode: 0o700 },
    { kind: "directory", path: "srv/new", mode: 0o750 },
    fileAsset("usr/local/bin/banger-vsock-agent", "one's own agent", 0o700),
    fileAsset("etc/machine-id", "one's own id"),
    fileAsset("sbin/init", "one's own init", 0o755),
    { kind: "symlink", path: "etc/l\u00ednk", target: "x".repeat(300) },
    fileAsset(`srv/new/${"deep/".repeat(30)}file`, "far"),
  ];
  const image = [dir("etc", { mode: 0o755, uid: 3 }), file("etc/machine-id", "the image's")];
  const { files, scrubbed, listing: lines, paths } = await inject(image, own);
  const text = lines.join("\n");
  assert.match(text, /^\/etc directory 0755 3:0/m);
  assert.match(text, /^\/srv\/new directory 0750 0:0/m);
  assert.match(text, /^\/etc\/l\u00ednk symlink 0777 0:0 \S+ links=1 -> x{300}$/m);
  assert.ok(paths.includes(`/srv/new/${"deep/".repeat(30)}file`));
  assert.equal(files.find(({ path }) => path === agent)?.sizeBytes, "one's own agent".length);
  assert.equal(files.find(({ path }) => path === "/etc/machine-id")?.replaced, true);
  assert.deepEqual(scrubbed, []);
  assert.ok(!paths.includes("/etc/banger/init.conf"));
});

test("the same inputs give the same layer", async () => {
  await using temp = await makeTempDir("banger-inject-", tmpdir());
  const indexes = [layer(init)];
  const fixed = { config: noProcess, keepIdentity: false, tempDir: temp.path, limits: defaultLimits, signal };
  const input = { ...fixed, indexes, tree: merge(indexes), assets: assetsOf() };
  await using one = await injectGuest(input);
  await using two = await injectGuest(input);
  assert.equal(one.blob.digest, two.blob.digest);
  assert.notEqual(one.blob.path, two.blob.path);
  assert.ok(one.blob.path.startsWith(join(temp.path, "guest-")));
});
