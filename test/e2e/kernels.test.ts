import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { digestOf, hexOf } from "../../src/base/digest.ts";
import { demoLayers, packLayer } from "../../src/client/demo/layers.ts";
import { CatalogServer } from "../fakes/catalogs/catalog-server.ts";
import { buildArtifact, writeLayout as writeArtifacts } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { debOf } from "../kernel/archive/ar-builder.ts";
import { arm64Image } from "../kernel/sample-kernels.ts";
import { file, tar } from "../layers/tar-builder.ts";
import { leftAtRest } from "../system/at-rest.ts";
import {
  makeDaemonHome,
  namesBelow,
  runCli,
  startDaemonProcess,
  type DaemonHome,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { writeLayout } from "../system/debian-image.ts";
import { withDisk } from "../system/namespace.ts";
import { debianKernel, debianKernelPackage } from "../system/debian-kernel.ts";
import { followPull } from "../system/pull-events.ts";
import { startRealRegistry, type RealRegistry } from "../system/real-registry.ts";

const debian = debianKernel();
const folder = mkdtempSync(join(tmpdir(), "banger-kernels-"));
const layout = join(folder, "layout");
const image = `oci:${layout}:latest`;
let registry: RealRegistry;

/** Says what it runs on, and ends; its machine ends with it. */
const script = 'read -r _ _ release _ </proc/version; echo "asked $release"';

before(async () => {
  const layers = await demoLayers(new AbortController().signal);
  const config = { Entrypoint: ["/bin/sh", "-c", script], Env: ["PATH=/usr/bin:/bin"] };
  writeLayout(layout, await Promise.all(layers.map(packLayer)), { config });
  registry = await startRealRegistry();
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface CatalogPlace {
  readonly name: string;
  readonly location: string;
}

/** A daemon with those catalogs in its config. */
async function daemonWith(catalogs: readonly CatalogPlace[], home?: DaemonHome): Promise<DaemonProcess> {
  const config = join(mkdtempSync(join(folder, "config-")), "config.toml");
  const tables = catalogs.map(
    ({ name, location }) => `[[kernels.catalogs]]\nname = "${name}"\nlocation = "${location}"\n`,
  );
  writeFileSync(config, tables.join("\n"));
  return await startDaemonProcess({
    env: { BANGER_CONFIG: config },
    ...(home === undefined ? {} : { home }),
  });
}

interface Entry {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  readonly source: unknown;
}

function catalogOf(...entries: readonly Entry[]): unknown {
  const kernels = entries.map(({ name, version = debian.release, architecture = "amd64", source }) => {
    return { name, version, architecture, source };
  });
  return { schemaVersion: 1, kernels };
}

function catalogFile(...entries: readonly Entry[]): CatalogPlace {
  const location = join(mkdtempSync(join(folder, "catalog-")), "catalog.json");
  writeFileSync(location, JSON.stringify(catalogOf(...entries)));
  return { name: "own", location };
}

/** Runs what `inspect --vmm qemu` printed, as it is, and returns what the machine said. */
async function bootAsPrinted(daemon: DaemonProcess, name: string): Promise<string> {
  const printed = await runCli(daemon, "image", "inspect", name, "--vmm", "qemu");
  assert.equal(printed.status, 0, printed.stderr);
  const machine = spawn("sh", ["-c", printed.stdout], { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => machine.kill("SIGKILL"), 240_000);
  let said = "";
  for (const stream of [machine.stdout, machine.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => (said += piece));
  await once(machine, "close");
  clearTimeout(timer);
  return said.replaceAll("\r", "");
}

async function assertNothingStaged({ home }: DaemonProcess): Promise<void> {
  for (const kind of ["images", "kernels"])
    assert.deepEqual(await leftAtRest(() => namesBelow(join(home.state, kind))), [], kind);
}

/** Files in the real registry, as `oras push` would put them there. Returns the reference. */
async function pushed(tag: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const artifacts = join(folder, `artifact-${tag}`);
  await writeArtifacts(artifacts, { [tag]: buildArtifact(files) });
  const reference = `${registry.host}/kernels/debian:${tag}`;
  const to = `docker://${reference}`;
  const words = ["--insecure-policy", "copy", "--dest-tls-verify=false", `oci:${artifacts}:${tag}`, to];
  execFileSync("skopeo", words, { stdio: ["ignore", "ignore", "pipe"] });
  return reference;
}

function debianModules(): Buffer {
  const modules = join(folder, "modules.tar.zst");
  execFileSync("tar", ["--zstd", "-C", debian.root, "-cf", modules, "lib/modules"]);
  return readFileSync(modules);
}

test("from a catalog, an artifact in the real registry: fetched, staged and told in one call, and it boots", async () => {
  const kernel = readFileSync(debian.path);
  const reference = await pushed("whole", { kernel, "modules.tar.zst": debianModules() });
  await using daemon = await daemonWith([catalogFile({ name: "cloud", source: { artifact: reference } })]);
  const pulled = await followPull(daemon.home, [image, "--name", "artifact", "--kernel-ref", "cloud"]);
  assert.equal(pulled.status, 0, JSON.stringify(pulled.events.at(-1)));
  const of = (kind: string) => pulled.events.filter((event) => event.kind === kind);
  const progress = of("stageProgress").filter(({ body }) => body["unit"] === "bytes");
  assert.ok(progress.length > 0, "how much of the kernel is here");
  const [resolved] = of("kernelResolved");
  assert.deepEqual([resolved?.body["name"], resolved?.body["version"]], ["cloud", debian.release]);
  assert.equal(of("bootArtifactsStaged").length, 1);
  assert.equal(pulled.events.at(-1)?.kind, "published");
  assert.match(
    await bootAsPrinted(daemon, "artifact"),
    new RegExp(`^asked ${RegExp.escape(debian.release)}`, "m"),
  );
});

test("Debian's package, in one command with no catalog at all, and it boots", async () => {
  await using daemon = await daemonWith([]);
  const ref = `deb:${debianKernelPackage()}`;
  const pulled = await runCli(daemon, "image", "pull", image, "--name", "deb", "--kernel-ref", ref);
  assert.equal(pulled.status, 0, pulled.stderr);
  const listed = await runCli(daemon, "kernel", "ls", "--json");
  assert.match(listed.stdout, new RegExp(`"version": "${RegExp.escape(debian.release)}"`));
  assert.match(
    await bootAsPrinted(daemon, "deb"),
    new RegExp(`^asked ${RegExp.escape(debian.release)}`, "m"),
  );
});

interface Refusal {
  readonly catalogs?: readonly CatalogPlace[];
  readonly ref: string;
  readonly reason: string;
  readonly says: RegExp;
}

/** Refused with that reason, and neither image nor kernel is left, not even the beginning of one. */
async function assertRefused({ catalogs = [], ref, reason, says }: Refusal): Promise<void> {
  await using daemon = await daemonWith(catalogs);
  const { status, events } = await followPull(daemon.home, [image, "--kernel-ref", ref]);
  assert.notEqual(status, 0, ref);
  const last = events.at(-1);
  assert.equal(last?.kind, "error", JSON.stringify(last));
  assert.equal(last.body["reason"], reason, JSON.stringify(last.body));
  assert.match(String(last.body["message"]), says);
  await assertNothingStaged(daemon);
}

test("a wrong digest", async () => {
  const wrong = "0".repeat(64);
  const ref = `deb:${debianKernelPackage()}@sha256:${wrong}`;
  const says = new RegExp(`should have that of sha256:${wrong}`);
  await assertRefused({ ref, reason: "DIGEST_MISMATCH", says });
});

test("an artifact without a kernel in it", async () => {
  const reference = await pushed("lacking", { readme: Buffer.from("no kernel"), "modules.tar": tar() });
  await assertRefused({
    catalogs: [catalogFile({ name: "cloud", source: { artifact: reference } })],
    ref: "cloud",
    reason: "KERNEL_SOURCE_INVALID",
    says: /has no kernel; it has readme, modules\.tar/,
  });
});

test("a kernel of another architecture than its catalog says, and than the image's", async () => {
  await using server = await FakeRegistry.start();
  const kernel = arm64Image("6.1.0");
  server.serve("/Image", kernel);
  const source = { url: `http://${server.host}/Image`, sha256: hexOf(digestOf(kernel)) };
  const lying = catalogFile({ name: "lying", source });
  const honest = catalogFile({ name: "arm", architecture: "arm64", source });
  await assertRefused({ catalogs: [lying], ref: "lying", reason: "KERNEL_MISMATCH", says: /is for arm64/ });
  await assertRefused({ catalogs: [honest], ref: "arm", reason: "KERNEL_MISMATCH", says: /for arm64/ });
  // With no catalog to say it beforehand: the kernel is fetched, and not kept, as nobody else asked for it.
  await using daemon = await daemonWith([]);
  const ref = `${source.url}@sha256:${source.sha256}`;
  const { events } = await followPull(daemon.home, [image, "--kernel-ref", ref]);
  assert.equal(events.at(-1)?.body["reason"], "KERNEL_MISMATCH");
  await assertNothingStaged(daemon);
});

test("modules of another version are a warning", async () => {
  await using daemon = await daemonWith([]);
  const other = tar(
    file("boot/vmlinuz-6.1", readFileSync(debian.path)),
    file("lib/modules/9.9.9/modules.builtin", ""),
    file("lib/modules/9.9.9/modules.order", ""),
  );
  const path = join(folder, "other_1_amd64.deb");
  writeFileSync(path, debOf({ name: "data.tar", content: other }));
  const pulled = await runCli(daemon, "kernel", "pull", `deb:${path}`, "--name", "odd");
  assert.equal(pulled.status, 0, pulled.stderr);
  assert.equal(pulled.stdout, "odd\n");
  const entry = await runCli(daemon, "kernel", "pull", "cloud", "--name", "odd");
  assert.match(entry.stderr, /A catalog's entry keeps its name: "cloud"/);
  assert.match(pulled.stderr, /modules are of Linux 9\.9\.9, and the kernel is/);
});

test("a catalog that is away: its copy is used and its age said; without one it is said who could not be asked", async () => {
  await using server = await CatalogServer.start();
  const places = [{ name: "theirs", location: `${server.url}/k.json` }];
  const reference = await pushed("away", { kernel: readFileSync(debian.path) });
  server.put("/k.json", catalogOf({ name: "cloud", source: { artifact: reference } }), { etag: '"1"' });
  await using daemon = await daemonWith(places);
  const listed = await runCli(daemon, "kernel", "catalog");
  assert.match(listed.stdout, /cloud/);
  assert.equal(listed.stderr, "");
  await server.down();
  const again = await runCli(daemon, "kernel", "catalog");
  assert.match(again.stdout, /cloud/);
  assert.match(again.stderr, /catalog theirs .*can't be reached.*its copy of less than a minute ago is used/);
  const pulled = await runCli(daemon, "image", "pull", image, "--name", "away", "--kernel-ref", "cloud");
  assert.equal(pulled.status, 0, pulled.stderr);

  const says = /no kernel cloud here, and not every catalog could be asked: catalog theirs/;
  await assertRefused({ catalogs: places, ref: "cloud", reason: "CATALOG_UNAVAILABLE", says });
});

test("a disk that is full: it is said, and the room is given back", async () => {
  await using home = await makeDaemonHome();
  await using daemon = await startDaemonProcess({ home, wrapper: withDisk(home.state, 64) });
  const pulled = await runCli(daemon, "kernel", "pull", `deb:${debianKernelPackage()}`);
  assert.equal(pulled.status, 1, pulled.stderr);
  assert.match(pulled.stderr, /no space left|DISK_FULL|is full/i);
  // The disk is seen in the daemon's own mount namespace alone.
  const kernels = join(`/proc/${daemon.child.pid}/root`, home.state, "kernels");
  assert.deepEqual(await leftAtRest(() => namesBelow(kernels)), []);
});

test("killed while a kernel is fetched: nothing half done, and the rest is fetched later", async () => {
  await using server = await FakeRegistry.start();
  await using home = await makeDaemonHome();
  const bytes = readFileSync(debianKernelPackage());
  server.serve("/blobs/k.deb", bytes);
  server.fault({ path: /blobs/, times: 1 }, { drip: { bytes: 1_000_000, everyMs: 200 } });
  const ref = `deb:http://${server.host}/blobs/k.deb@sha256:${hexOf(digestOf(bytes))}`;
  const first = await daemonWith([], home);
  let killed: Promise<void> | undefined;
  await followPull(home, [image, "--kernel-ref", ref], ({ kind, body }) => {
    // Far enough that some of it is in the file: small pieces are gathered before they are written.
    if (kind === "stageProgress" && Number(body["done"]) > 5_000_000) killed ??= first.kill();
  });
  assert.ok(killed !== undefined, "the kernel's progress came");
  await killed;

  await using second = await daemonWith([], home);
  await assertNothingStaged(second);
  const again = await followPull(home, [image, "--kernel-ref", ref]);
  assert.equal(again.status, 0, JSON.stringify(again.events.at(-1)));
  assert.match(server.asked(/k\.deb/).at(-1)?.headers["range"] ?? "", /^bytes=[1-9]/, "where it had got to");
  const folders = namesBelow(join(home.state, "kernels")).filter((name) => !name.includes("/"));
  assert.deepEqual(folders, ["k"]);
});
