import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after, before } from "node:test";
import { runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { writeDebianLayout } from "../system/debian-image.ts";
import { debianKernel } from "../system/debian-kernel.ts";
import { bootPrinted } from "../system/qemu.ts";

const kernel = debianKernel();
const folder = mkdtempSync(join(tmpdir(), "banger-modules-"));
const assets = join(folder, "assets");
let daemon: DaemonProcess;

/** Asks the booted machine for modules that Debian's cloud kernel has not built in, and ends it. */
const questions = `#!/bin/sh
exec >/dev/console 2>&1
echo "asked release $(uname -r)"
echo "asked loaded $(cut -d ' ' -f 1 /proc/modules | sort | tr '\\n' ' ')"
echo "asked agent $(systemctl show --value -p ActiveState banger-vsock-agent)"
echo "asked writable $(touch /var/probe && echo yes)"
sync
systemctl poweroff --force --force
`;

const unit = `[Unit]
Description=Asks what the test wants to know
After=banger-vsock-agent.service
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
  // By libkmod, which looks them up in modules.dep.bin.
  putAsset("etc/modules-load.d/test.conf", "vsock_loopback\nvirtio_net\n");
  mkdirSync(join(assets, "etc/systemd/system/multi-user.target.wants"));
  symlinkSync("../ask.service", join(assets, "etc/systemd/system/multi-user.target.wants/ask.service"));
  await writeDebianLayout(join(folder, "layout"));
  daemon = await startDaemonProcess({ env: { BANGER_GUEST_ASSETS: assets } });
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function good(...args: readonly string[]): Promise<string> {
  const ran = await runCli(daemon, ...args);
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout;
}

test("Debian boots by what inspect printed alone, and finds its kernel's modules in itself", async (t) => {
  const modules = join(kernel.root, "lib", "modules", kernel.release);
  await good("kernel", "import", "cloud", "--kernel", kernel.path, "--modules", modules);
  const reference = `oci:${join(folder, "layout")}:latest`;
  await good("image", "pull", reference, "--name", "deb", "--kernel-ref", "cloud", "--modules-into-rootfs");
  // Debian's /lib is a link to usr/lib: the modules are where it leads.
  assert.match(
    await good("image", "files", "deb", `/usr/lib/modules/${kernel.release}`),
    / modules\.dep\.bin$/m,
  );

  const { console: said, seconds } = await bootPrinted(
    await good("image", "inspect", "deb", "--vmm", "qemu"),
  );
  const answers = new Map(
    [...said.matchAll(/^asked (\S+) (.*)$/gm)].map(([, what = "", answer = ""]) => [what, answer]),
  );
  assert.equal(answers.get("release"), kernel.release, said.slice(-4000));
  assert.equal(answers.get("agent"), "active");
  assert.equal(answers.get("writable"), "yes");
  for (const module of ["virtio_net", "vsock_loopback", "vmw_vsock_virtio_transport"]) {
    assert.match(answers.get("loaded") ?? "", new RegExp(`\\b${module}\\b`));
  }
  await good("image", "verify", "deb", "--full");
  t.diagnostic(`up and down in ${Math.round(seconds)} s`);
});
