import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { demoLayers, packLayer } from "../../src/client/demo/layers.ts";
import { runCli, startDaemonProcess } from "../system/daemon-process.ts";
import { writeLayout } from "../system/debian-image.ts";
import { debianKernel } from "../system/debian-kernel.ts";
import { boot, copyDisk } from "../system/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "banger-no-init-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What a container of it would run: reads its own state from where PID 1 has put it. */
const script = `
echo "asked $1 $GREETING in $PWD"
while read -r key value; do case $key in Uid:|Gid:) echo "$key $value";; esac; done </proc/self/status
read -r pid1 </proc/1/comm; echo "pid 1 is $pid1"
exit 7`;

test("an image without an init runs its Entrypoint as its config says, and its status is told", async (t) => {
  const layers = await demoLayers(new AbortController().signal);
  const config = {
    Entrypoint: ["/bin/sh", "-c", script, "sh"],
    Cmd: ["what"],
    Env: ["PATH=/usr/bin:/bin", "GREETING=grüß dich"],
    User: "demo",
    WorkingDir: "/srv",
    StopSignal: "SIGQUIT",
  };
  writeLayout(join(folder, "layout"), await Promise.all(layers.map(packLayer)), { config });
  await using daemon = await startDaemonProcess();
  const reference = `oci:${join(folder, "layout")}:latest`;
  const pulled = await runCli(daemon, "image", "pull", reference, "--name", "plain", "--json");
  assert.equal(pulled.status, 0, pulled.stderr);
  const image: unknown = JSON.parse(pulled.stdout);
  assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image && "bootReadiness" in image);
  assert.deepEqual(image.bootReadiness, { initPath: "/sbin/init", obstacles: [] });

  const disk = copyDisk(String(image.rootfsPath), join(folder, "plain.ext4"));
  const { console: said, seconds } = await boot(disk, debianKernel());
  assert.match(said, /^asked what grüß dich in \/srv$/m, said.slice(-4000));
  assert.match(said, /^Uid:\s+1000\s+1000/m);
  assert.match(said, /^Gid:\s+1000\s+1000/m, said.slice(-2000));
  assert.match(said, /^pid 1 is init$/m);
  assert.match(said, /banger-init: exited with status 7/);
  t.diagnostic(`up and down in ${Math.round(seconds)} s`);
});
