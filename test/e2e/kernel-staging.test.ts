import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { demoLayers, packLayer } from "../../src/client/demo/layers.ts";
import { leftAtRest } from "../system/at-rest.ts";
import {
  namesBelow,
  runCli,
  startDaemonProcess,
  type CliResult,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { writeLayout } from "../system/debian-image.ts";
import { debianKernel } from "../system/debian-kernel.ts";
import { followPull } from "../system/pull-events.ts";

const kernel = debianKernel();
const modules = join(kernel.root, "lib", "modules", kernel.release);
const folder = mkdtempSync(join(tmpdir(), "banger-staging-"));
const reference = (name: string): string => `oci:${join(folder, name)}:latest`;
let daemon: DaemonProcess;

before(async () => {
  const layers = await Promise.all((await demoLayers(new AbortController().signal)).map(packLayer));
  for (const name of ["one", "two"])
    writeLayout(join(folder, name), layers, { config: { Cmd: [`/bin/${name}`] } });
  daemon = await startDaemonProcess();
  await good("kernel", "import", "cloud", "--kernel", kernel.path, "--modules", modules);
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function good(...args: readonly string[]): Promise<CliResult> {
  const ran = await runCli(daemon, ...args);
  assert.equal(ran.status, 0, ran.stderr);
  return ran;
}

interface Boot {
  readonly kernelPath: string;
  readonly modulesPath: string;
  readonly kernelVersion: string;
}

async function inspect(name: string): Promise<{ id: string; rootfsPath: string; boot: Boot }> {
  const image: unknown = JSON.parse((await good("image", "inspect", name, "--json")).stdout);
  assert.ok(typeof image === "object" && image !== null && "boot" in image && "id" in image);
  assert.ok("rootfsPath" in image);
  const { boot } = image;
  assert.ok(typeof boot === "object" && boot !== null && "kernelPath" in boot);
  assert.ok("modulesPath" in boot && "kernelVersion" in boot);
  return {
    id: String(image.id),
    rootfsPath: String(image.rootfsPath),
    boot: {
      kernelPath: String(boot.kernelPath),
      modulesPath: String(boot.modulesPath),
      kernelVersion: String(boot.kernelVersion),
    },
  };
}

const inode = (path: string): number => statSync(path).ino;

test("two images with one kernel share its bytes; each goes without the other's leave, and the kernel too", async () => {
  const stored = join(daemon.home.state, "kernels", "cloud");
  for (const name of ["one", "two"]) {
    const { events } = await followPull(daemon.home, [
      reference(name),
      "--name",
      name,
      "--kernel-ref",
      "cloud",
    ]);
    const staged = events.find(({ kind }) => kind === "bootArtifactsStaged");
    assert.equal(staged?.body["shared"], true);
    assert.equal(staged.body["sharing"], "SHARING_HARD_LINK", "on this file system");
  }
  const [one, two] = [await inspect("one"), await inspect("two")];
  assert.equal(one.boot.kernelVersion, kernel.release);
  assert.equal(inode(one.boot.kernelPath), inode(join(stored, "kernel")));
  assert.equal(inode(two.boot.kernelPath), inode(join(stored, "kernel")));
  assert.equal(statSync(two.boot.kernelPath).nlink, 3);
  const files = namesBelow(one.boot.modulesPath).filter((name) => name.endsWith(".ko"));
  assert.ok(files.length > 1000, `${files.length} modules`);
  for (const file of files)
    assert.equal(inode(join(two.boot.modulesPath, file)), inode(join(stored, "modules", file)));
  const listed: unknown = JSON.parse((await good("kernel", "ls", "--json")).stdout);
  assert.match(JSON.stringify(listed), /"imageCount":2/);

  // Only what is its own counts as freed: the root file system, and not the kernel's 105 MiB.
  const removed = await good("image", "rm", "one");
  const freed = Number(/([\d.]+) MiB freed/.exec(removed.stderr)?.[1]);
  assert.ok(freed > 1 && freed < 30, removed.stderr);
  assert.deepEqual(readFileSync(two.boot.kernelPath), readFileSync(kernel.path));
  assert.equal(statSync(two.boot.kernelPath).nlink, 2);

  const refused = await runCli(daemon, "kernel", "rm", "cloud");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /kernel cloud is in use by two/);
  const forced = await good("kernel", "rm", "cloud", "--force");
  assert.match(forced.stderr, / KiB freed/, "the folders and kernel.json: the image has the rest still");
  assert.ok(!readdirSync(join(daemon.home.state, "kernels")).includes("cloud"));
  assert.deepEqual(readFileSync(two.boot.kernelPath), readFileSync(kernel.path));
  for (const file of files) assert.ok(statSync(join(two.boot.modulesPath, file)).size > 0);
  await good("image", "verify", "two", "--full");
  await good("image", "rm", "two");
});

test("the same pull again answers at once; another kernel, or its modules inside, makes another image", async () => {
  await good("kernel", "import", "again", "--kernel", kernel.path, "--modules", modules);
  const pull = (...more: readonly string[]) =>
    good("image", "pull", reference("one"), "--name", "same", "--quiet", ...more).then(({ stdout }) =>
      stdout.trim(),
    );
  const bare = await pull();
  const first = await pull("--kernel-ref", "again");
  const again = await pull("--kernel-ref", "again");
  const inside = await pull("--kernel-ref", "again", "--modules-into-rootfs");
  assert.equal(again, first);
  assert.equal(new Set([bare, first, inside]).size, 3);
  const digests = await Promise.all([bare, first].map(async (id) => readFileSync((await rootfsOf(id)).path)));
  assert.ok(
    digests[0]?.equals(digests[1] ?? Buffer.alloc(0)),
    "a kernel beside it changes no byte of the rootfs",
  );
  const files = await good("image", "files", inside, `/lib/modules/${kernel.release}`);
  for (const name of ["modules.dep", "modules.dep.bin", "modules.alias.bin", "kernel"]) {
    assert.match(files.stdout, new RegExp(` ${RegExp.escape(name)}$`, "m"));
  }
  await good("image", "verify", inside, "--full");
});

async function rootfsOf(id: string): Promise<{ path: string }> {
  const image: unknown = JSON.parse((await good("image", "inspect", id, "--json")).stdout);
  assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image);
  return { path: String(image.rootfsPath) };
}

test("files of this machine are staged as copies, which no later change reaches", async () => {
  const { events } = await followPull(daemon.home, [
    ...[reference("two"), "--name", "files"],
    ...["--kernel", kernel.path, "--modules", modules],
  ]);
  assert.equal(events.at(-1)?.kind, "published");
  const { boot } = await inspect("files");
  assert.notEqual(inode(boot.kernelPath), inode(kernel.path));
  assert.deepEqual(readFileSync(boot.kernelPath), readFileSync(kernel.path));
  assert.deepEqual(
    readdirSync(join(daemon.home.state, "kernels")).filter((name) => name.startsWith(".")),
    [],
    "what was checked on the way is gone",
  );
});

const refused: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ["an unknown kernel", ["--kernel-ref", "nope"], 3, /there is no kernel nope here, nor in a catalog/],
  ["a file that is no kernel", ["--kernel", "/etc/hostname"], 1, /is no Linux kernel/],
  ["a file that is not there", ["--kernel", "/nowhere/vmlinuz"], 3, /there is no file \/nowhere\/vmlinuz/],
  ["modules that are none", ["--kernel", kernel.path, "--modules", "/etc"], 1, /is no folder of modules/],
  ["an initrd without a kernel", ["--initrd", "/boot/initrd"], 2, /go with --kernel/],
  ["modules into the image without a kernel", ["--modules-into-rootfs"], 2, /takes a kernel/],
  [
    "modules into the image without modules",
    ["--kernel", kernel.path, "--modules-into-rootfs"],
    2,
    /give it/,
  ],
];
for (const [what, args, status, said] of refused) {
  test(`${what} is refused with the reason, and nothing half staged`, async () => {
    const images = join(daemon.home.state, "images");
    const before = new Set(namesBelow(images));
    const ran = await runCli(daemon, "image", "pull", reference("one"), "--name", "refused", ...args);
    assert.equal(ran.status, status, ran.stderr);
    assert.match(ran.stderr, said);
    assert.match(ran.stderr, /^ {2}→ /m, "and says what to do");
    assert.deepEqual(await leftAtRest(() => namesBelow(images).filter((name) => !before.has(name))), []);
    const kernels = readdirSync(join(daemon.home.state, "kernels"));
    assert.deepEqual(
      kernels.filter((name) => name.startsWith(".")),
      [],
    );
  });
}
