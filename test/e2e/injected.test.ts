import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { bufCurl } from "../system/buf-curl.ts";
import { runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { writeLayout } from "../system/debian-image.ts";
import type { HostEntry } from "../system/host-tree.ts";
import { readMounted } from "../system/mounted.ts";
import { runProgram } from "../system/program.ts";
import { tarOf, type TarHeader } from "../system/tar-of.ts";

const guest = join(import.meta.dirname, "..", "..", "guest");
const folder = mkdtempSync(join(tmpdir(), "banger-injected-"));
let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemonProcess();
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Where each thing is asked to be, its mode, and the file of the checkout that it is; links have their target. */
const expected: readonly (readonly [path: string, mode: number, source: string])[] = [
  ["/usr/local/bin/banger-vsock-agent", 0o755, "out/banger-vsock-agent"],
  ["/usr/local/libexec/banger-network-bootstrap", 0o755, "network-bootstrap"],
  ["/usr/local/libexec/banger-first-boot", 0o755, "first-boot"],
  ["/etc/systemd/system/banger-network.service", 0o644, "units/banger-network.service"],
  ["/etc/systemd/system/banger-first-boot.service", 0o644, "units/banger-first-boot.service"],
  ["/etc/systemd/system/banger-vsock-agent.service", 0o644, "units/banger-vsock-agent.service"],
  ["/etc/modules-load.d/banger-vsock.conf", 0o644, "modules-load.conf"],
  ["/var/lib/banger/first-boot-pending", 0o644, ""],
  ["/sbin/init", 0o755, "out/banger-init"],
];
const wanted = ["first-boot", "network", "vsock-agent"].map((name) => `banger-${name}.service`);

interface Pulled {
  readonly image: Readonly<Record<string, unknown>>;
  readonly mounted: ReadonlyMap<string, HostEntry>;
}

let images = 0;
async function layoutOf(...entries: readonly TarHeader[]): Promise<string> {
  const path = join(folder, `layout-${images++}`);
  mkdirSync(path);
  writeLayout(path, [
    await tarOf((put) => {
      for (const entry of entries) put(entry, entry.type === undefined ? "the image's own" : "");
    }),
  ]);
  return `oci:${path}:latest`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function pull(reference: string, ...flags: readonly string[]): Promise<Pulled> {
  const name = `image-${images++}`;
  const pulled = await runCli(daemon, "image", "pull", reference, "--name", name, "--json", ...flags);
  assert.equal(pulled.status, 0, pulled.stderr);
  const image: unknown = JSON.parse(pulled.stdout);
  assert.ok(isRecord(image));
  const rootfs = String(image["rootfsPath"]);
  assert.equal(runProgram("e2fsck", ["-fn", rootfs]).includes("WARNING"), false);
  assertRecorded(image, rootfs);
  return { image, mounted: readMounted(rootfs) };
}

/** The file beside the image says what the API says. */
function assertRecorded(image: Readonly<Record<string, unknown>>, rootfs: string): void {
  const document: unknown = JSON.parse(readFileSync(rootfs.replace(/rootfs\.ext4$/, "image.json"), "utf8"));
  assert.ok(isRecord(document));
  const paths = (list: unknown): unknown =>
    Array.isArray(list) ? list.map((it: unknown) => isRecord(it) && it["path"]) : list;
  assert.deepEqual(paths(document["injectedFiles"]), paths(image["injectedFiles"]));
  assert.deepEqual(document["scrubbedPaths"], image["scrubbedPaths"]);
  assert.deepEqual(document["bootReadiness"], image["bootReadiness"]);
}

/** What a process whose root is the image would open, found with the links that the kernel showed. */
function follow(mounted: Pulled["mounted"], path: string, links = 0): string {
  assert.ok(links < 40, "too many links");
  let at = "";
  const parts = path.split("/").filter((part) => part !== "");
  for (const [i, part] of parts.entries()) {
    if (part === ".") continue;
    if (part === "..") {
      at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
      continue;
    }
    const next = `${at}/${part}`;
    const target = mounted.get(next)?.target;
    if (target === undefined) at = next;
    else
      return follow(
        mounted,
        [target.startsWith("/") ? target : `${at}/${target}`, ...parts.slice(i + 1)].join("/"),
        links + 1,
      );
  }
  return at;
}

function assertAll({ image, mounted }: Pulled): void {
  const told = new Map<string, Readonly<Record<string, unknown>>>();
  assert.ok(Array.isArray(image["injectedFiles"]));
  for (const file of image["injectedFiles"]) if (isRecord(file)) told.set(String(file["path"]), file);
  for (const [path, mode, source] of expected) {
    const content = source === "" ? Buffer.alloc(0) : readFileSync(join(guest, source));
    const place = follow(mounted, path);
    const entry = mounted.get(place);
    const sha256 = digestOf(content);
    assert.deepEqual(
      [entry?.type, entry?.mode, entry?.uid, entry?.gid, `sha256:${entry?.sha256}`],
      ["file", mode, 0, 0, sha256],
      path,
    );
    const file = told.get(place);
    assert.deepEqual(
      [file?.["mode"], file?.["digest"], file?.["sizeBytes"]],
      [mode, sha256, String(content.length)],
      place,
    );
  }
  for (const unit of wanted) {
    const above = follow(mounted, "/etc/systemd/system/multi-user.target.wants");
    const link = mounted.get(`${above}/${unit}`);
    assert.deepEqual([link?.type, link?.uid, link?.target], ["symlink", 0, `../${unit}`]);
    assert.equal(told.get(`${above}/${unit}`)?.["linkTarget"], `../${unit}`);
  }
  for (const [path, file] of told) {
    const entry = mounted.get(path);
    assert.deepEqual([entry?.mode, entry?.uid, entry?.gid, entry?.mtimeNs], [file["mode"], 0, 0, 0n], path);
  }
}

test("an image with nothing in it gets everything, owned by root, byte for byte", async () => {
  const pulled = await pull(await layoutOf({ name: "srv/file" }));
  assertAll(pulled);
  assert.equal(pulled.mounted.get("/srv/file")?.mtimeNs, 1_700_000_000_000_000_000n);
});

/** Folders that may be links, and where to. */
for (const above of ["usr/local", "etc/systemd/system", "var/lib"]) {
  const up = "../".repeat(above.split("/").length - 1);
  const cases: Readonly<Record<string, string>> = {
    "a relative link": `${up}opt/elsewhere`,
    "an absolute link": "/opt/elsewhere",
    "a link to nowhere": "/opt/nowhere/yet",
    "a link that climbs outside": "../../../../../../opt/elsewhere",
  };
  test(`/${above} may be ${Object.keys(cases).join(", ")}`, async () => {
    for (const [what, target] of Object.entries(cases)) {
      const reference = await layoutOf(
        { name: "opt/elsewhere/", type: "directory", mode: 0o750, uid: 12 },
        { name: above, type: "symlink", linkname: target },
      );
      const pulled = await pull(reference);
      assertAll(pulled);
      assert.equal(pulled.mounted.get(`/${above}`)?.target, target, what);
      assert.equal(pulled.mounted.get("/opt/elsewhere")?.uid, 12, "the image's folder is as it was");
    }
  });
  test(`/${above} may not be a loop of links`, async () => {
    const reference = await layoutOf(
      { name: above, type: "symlink", linkname: "./loop" },
      { name: `${above.slice(0, above.lastIndexOf("/"))}/loop`, type: "symlink", linkname: `/${above}` },
    );
    const { status, stderr } = await runCli(
      daemon,
      "image",
      "pull",
      reference,
      "--name",
      `loop-${above.replaceAll("/", "-")}`,
    );
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^banger: /${above}/.* can't be put into the image: .*circle`, "m"));
    assert.match(stderr, /--no-agents/);
    const without = await runCli(
      daemon,
      "image",
      "pull",
      reference,
      "--name",
      `loop-${above.replaceAll("/", "-")}`,
      "--no-agents",
      "-q",
    );
    assert.equal(without.status, 0, without.stderr);
  });
}

const identity: readonly TarHeader[] = [
  { name: "etc/machine-id", mode: 0o444 },
  { name: "var/lib/dbus/machine-id" },
  { name: "etc/ssh/ssh_host_ed25519_key", mode: 0o600 },
  { name: "etc/ssh/ssh_host_ed25519_key.pub" },
  { name: "etc/ssh/sshd_config" },
];

test("the image's identity is scrubbed, and kept on request, and all is as in the image without agents", async () => {
  const reference = await layoutOf(...identity);
  const scrubbed = await pull(reference);
  const paths = identity.slice(0, 4).map(({ name }) => `/${name}`);
  assert.deepEqual(scrubbed.image["scrubbedPaths"], paths.toSorted());
  assert.equal(scrubbed.mounted.get("/etc/machine-id")?.size, 0n);
  assert.equal(scrubbed.mounted.get("/var/lib/dbus/machine-id")?.size, 0n);
  assert.deepEqual(
    [...scrubbed.mounted.keys()].filter((path) => path.startsWith("/etc/ssh/")),
    ["/etc/ssh/sshd_config"],
  );

  const kept = await pull(reference, "--keep-identity");
  assert.deepEqual(kept.image["scrubbedPaths"], []);
  assert.equal(kept.mounted.get("/etc/machine-id")?.size, 15n);
  assert.ok(kept.mounted.has("/etc/ssh/ssh_host_ed25519_key"));
  assert.ok(kept.mounted.has("/usr/local/bin/banger-vsock-agent"));

  const bare = await pull(reference, "--no-agents");
  assert.deepEqual([bare.image["scrubbedPaths"], bare.image["injectedFiles"]], [[], []]);
  assert.ok(![...bare.mounted.keys()].some((path) => path.includes("banger") || path.includes("init")));
  assert.equal(bare.mounted.get("/etc/machine-id")?.size, 15n);
  const { obstacles, initPath } = isRecord(bare.image["bootReadiness"]) ? bare.image["bootReadiness"] : {};
  assert.equal(initPath, "");
  assert.match(String(obstacles), /no init/);
});

test("the event names every file, and comes once the file system holds them", async () => {
  const request = JSON.stringify({ reference: await layoutOf(...identity), options: { name: "event" } });
  const url = "http://localhost/banger.image.v1.ImageService/PullImage";
  const { stdout, error } = await bufCurl(daemon, "-d", request, url);
  assert.equal(error, undefined);
  const event = stdout.slice(stdout.indexOf('"agentsInjected"'), stdout.indexOf('"verified"'));
  for (const [path] of expected) assert.ok(event.includes(`"path": "${path}"`), path);
  assert.match(event, /"scrubbedPaths": \[\s*"\/etc\/machine-id"/);
  assert.ok(stdout.indexOf('"agentsInjected"') > stdout.indexOf('"ownershipApplied"'));
});

test("pulled twice, it is the same file system; an image is not built anew for what does not change it", async () => {
  const reference = await layoutOf({ name: "srv/file" });
  const ids: string[] = [];
  const hashes: string[] = [];
  for (const name of ["same-1", "same-2", "same-1"]) {
    const pulled = await runCli(daemon, "image", "pull", reference, "--name", name, "--json");
    assert.equal(pulled.status, 0, pulled.stderr);
    const image: unknown = JSON.parse(pulled.stdout);
    assert.ok(isRecord(image));
    ids.push(String(image["id"]));
    hashes.push(runProgram("sha256sum", [String(image["rootfsPath"])]).slice(0, 64));
  }
  assert.equal(ids[0], ids[2]);
  assert.notEqual(ids[0], ids[1]);
  assert.equal(hashes[0], hashes[1]);
  const kept = await runCli(daemon, "image", "pull", reference, "--name", "same-1", "--keep-identity", "-q");
  assert.notEqual(kept.stdout.trim(), ids[0]);
});
