import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after, before } from "node:test";
import { runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { writeDebianLayout } from "../system/debian-image.ts";
import { debianKernel, modulesLayer } from "../system/debian-kernel.ts";
import { boot, copyDisk } from "../system/qemu.ts";
import { tarOf } from "../system/tar-of.ts";

const kernel = debianKernel();
const folder = mkdtempSync(join(tmpdir(), "banger-boot-"));
const assets = join(folder, "assets");
const sharedId = "0123456789abcdef0123456789abcdef";
let daemon: DaemonProcess;

/** Asks the booted machine what banger promises of it, and ends it. */
const questions = `#!/bin/sh
exec >/dev/console 2>&1
say() { echo "asked $*"; }
for unit in network first-boot vsock-agent; do
  say "unit $unit $(systemctl show --value -p ActiveState banger-$unit | tr '\\n' ' ')"
done
say "failed $(systemctl --failed --no-legend --plain | tr '\\n' ' ')"
say "marker $(ls /var/lib/banger)"
say "machine-id $(cat /etc/machine-id)"
say "first boots $(cat /var/log/first-boots)"
for path in /healthz /info /ports; do say "$path $(vsock-get 1 1024 $path | tr -d '\\r' | tail -n 1)"; done
sync
systemctl poweroff --force --force
`;

const unit = `[Unit]
Description=Asks what the test wants to know
After=banger-network.service banger-first-boot.service banger-vsock-agent.service
[Service]
Type=oneshot
ExecStart=/usr/local/libexec/ask
`;

function putAsset(path: string, content: string, mode = 0o644): void {
  const full = join(assets, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  chmodSync(full, mode);
}

before(async () => {
  putAsset("usr/local/libexec/ask", questions, 0o755);
  putAsset("etc/systemd/system/ask.service", unit);
  putAsset("etc/modules-load.d/test.conf", "vsock_loopback\nvirtio_pci\nvirtio_net\n");
  putAsset("etc/banger/first-boot.d/count", "#!/bin/sh\necho once >>/var/log/first-boots\n", 0o755);
  mkdirSync(join(assets, "etc/systemd/system/multi-user.target.wants"));
  symlinkSync("../ask.service", join(assets, "etc/systemd/system/multi-user.target.wants/ask.service"));
  mkdirSync(join(assets, "usr/local/bin"));
  copyFileSync(
    join(import.meta.dirname, "../../guest/out/vsock-get"),
    join(assets, "usr/local/bin/vsock-get"),
  );

  const modules = ["vsock_loopback", "vmw_vsock_virtio_transport", "virtio_pci", "virtio_net"];
  const identity = await tarOf((put) => {
    put({ name: "etc/machine-id", mode: 0o444 }, `${sharedId}\n`);
    put({ name: "etc/ssh/ssh_host_rsa_key", mode: 0o600 }, "everybody's secret");
  });
  await writeDebianLayout(join(folder, "layout"), [await modulesLayer(kernel, modules), identity]);
  daemon = await startDaemonProcess({ env: { BANGER_GUEST_ASSETS: assets } });
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function pull(name: string): Promise<string> {
  const reference = `oci:${join(folder, "layout")}:latest`;
  const pulled = await runCli(daemon, "image", "pull", reference, "--name", name, "--json");
  assert.equal(pulled.status, 0, pulled.stderr);
  const image: unknown = JSON.parse(pulled.stdout);
  assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image);
  assert.ok("scrubbedPaths" in image && "bootReadiness" in image);
  assert.deepEqual(image.scrubbedPaths, ["/etc/machine-id", "/etc/ssh/ssh_host_rsa_key"]);
  assert.deepEqual(image.bootReadiness, { initPath: "/sbin/init", obstacles: [] });
  return copyDisk(String(image.rootfsPath), join(folder, `${name}.ext4`));
}

interface Asked {
  /** The machine's answers, by what was asked. */
  readonly answers: ReadonlyMap<string, string>;
  readonly seconds: number;
}

async function ask(disk: string): Promise<Asked> {
  const append = "ip=10.0.2.77::10.0.2.2:255.255.255.0:guest77:eth0:off systemd.show_status=0";
  const booted = await boot(disk, kernel, { append, network: true });
  const answers = [...booted.console.matchAll(/^asked (unit \S+|first boots|\S+) ?(.*)$/gm)];
  assert.ok(answers.length > 0, booted.console.slice(-6000));
  const { seconds } = booted;
  return { answers: new Map(answers.map(([, what = "", answer = ""]) => [what, answer.trim()])), seconds };
}

function assertRunning(answers: Asked["answers"]): void {
  const state = (name: string): string | undefined => answers.get(`unit ${name}`);
  assert.deepEqual([state("network"), state("vsock-agent")], ["active", "active"]);
  assert.equal(answers.get("failed"), "");
  assert.deepEqual(JSON.parse(answers.get("/healthz") ?? ""), { status: "ok" });
  const info = answers.get("/info") ?? "";
  assert.match(info, /"hostname":\s*"guest77"/);
  assert.match(info, /"interface":\s*"eth0",[^}]*"address":\s*"10\.0\.2\.77",\s*"prefix_length":\s*24/);
  assert.match(info, new RegExp(`"release":\\s*"${RegExp.escape(kernel.release)}"`));
  assert.match(answers.get("/ports") ?? "", /"listening":/);
}

test("Debian boots with the agents, runs its first boot once, and shares its id with no other machine", async (t) => {
  const disk = await pull("one");
  const { answers: first, seconds } = await ask(disk);
  assertRunning(first);
  assert.equal(first.get("unit first-boot"), "active", "it ran, and well");
  assert.equal(first.get("marker"), "", "and removed its marker");
  assert.equal(first.get("first boots"), "once");
  const id = first.get("machine-id") ?? "";
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.notEqual(id, sharedId);

  const [again, other] = await Promise.all([ask(disk), pull("two").then(ask)]);
  assertRunning(again.answers);
  assert.equal(again.answers.get("unit first-boot"), "inactive");
  assert.equal(again.answers.get("first boots"), "once", "not a second time");
  assert.equal(again.answers.get("machine-id"), id, "the machine keeps its id");
  assert.equal(other.answers.get("first boots"), "once");
  assert.match(other.answers.get("machine-id") ?? "", /^[0-9a-f]{32}$/);
  assert.notEqual(other.answers.get("machine-id"), id);
  t.diagnostic(`up and down in ${[seconds, again.seconds, other.seconds].map(Math.round).join(", ")} s`);
});
