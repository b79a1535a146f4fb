import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test, { before } from "node:test";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { makeDaemonHome, runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

/** Groups and a user that no system has. */
const [kvm, strangers, vmm] = [54_321, 54_322, 54_323];

let image: FakeImage;
before(async () => {
  image = buildImage({ layers: [await tarOf((put) => put({ name: "file" }, noise(4096, 1)))] });
});

/** What a user of one group gets of a program that reads, or writes, a file: its exit code. */
function as(gid: number, ...command: readonly string[]): number | null {
  const [program = "", ...args] = command;
  const identity = [`--reuid=${vmm}`, `--regid=${gid}`, "--clear-groups", "--bounding-set=-all"];
  return spawnSync("setpriv", [...identity, program, ...args], { cwd: "/" }).status;
}

const reads = (gid: number, path: string): boolean => as(gid, "head", "-c1", path) === 0;
const writes = (gid: number, path: string): boolean =>
  as(gid, "dd", "if=/dev/zero", `of=${path}`, "count=1", "conv=notrunc") === 0;
const lists = (gid: number, path: string): boolean => as(gid, "ls", path) === 0;

async function pulled(daemon: DaemonProcess, host: string, name: string): Promise<string> {
  const pull = await runCli(daemon, "image", "pull", `${host}/team/app:1.0`, "--no-agents", "--name", name);
  assert.equal(pull.status, 0, pull.stderr);
  const inspected = await runCli(daemon, "image", "inspect", name, "--json");
  const { rootfsPath }: { rootfsPath: string } = JSON.parse(inspected.stdout);
  return rootfsPath;
}

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy: string;
}

async function accessCheck(daemon: DaemonProcess): Promise<Check> {
  const { stdout } = await runCli(daemon, "daemon", "status", "--json");
  const { checks }: { checks: readonly Check[] } = JSON.parse(stdout);
  return checks.find(({ name }) => name === "image access") ?? assert.fail(stdout);
}

test("who may connect may open images by their paths, and nobody else", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  await using home = await makeDaemonHome();
  chmodSync(home.folder, 0o711);
  const config = join(home.folder, "config.toml");
  const start = (text: string): Promise<DaemonProcess> => {
    writeFileSync(config, text);
    return startDaemonProcess({ home, env: { BANGER_CONFIG: config } });
  };
  const letIn = (group: number): string => `[socket]\nmode = "0660"\ngroup = "${group}"\n`;
  let early = "";
  {
    await using daemon = await start("");
    early = await pulled(daemon, registry.host, "early");
    assert.deepEqual(
      [kvm, strangers, 0].map((gid) => reads(gid, early)),
      [false, false, false],
    );
    assert.match((await accessCheck(daemon)).detail, /daemon's user alone/);
  }
  {
    await using daemon = await start(letIn(kvm));
    const late = await pulled(daemon, registry.host, "late");
    for (const path of [early, late]) {
      assert.deepEqual(
        [kvm, strangers, 0].map((gid) => reads(gid, path)),
        [true, false, false],
        path,
      );
      assert.ok(!writes(kvm, path), "it is for reading");
      assert.equal(statSync(dirname(path)).mode & 0o777, 0o710);
      assert.ok(!lists(kvm, dirname(path)) && !lists(kvm, dirname(dirname(path))));
    }
    assert.ok(!reads(kvm, join(home.state, "banger.db")));
    assert.deepEqual(await accessCheck(daemon), {
      name: "image access",
      ok: true,
      detail: `group ${kvm} may open images and kernels`,
      remedy: "",
    });
    chmodSync(dirname(late), 0o700);
    const shut = await accessCheck(daemon);
    assert.ok(!shut.ok && shut.detail.includes(dirname(late)), shut.detail);
    assert.match(shut.remedy, new RegExp(`chgrp ${kvm} .* && chmod g\\+x`));
  }
  {
    await using daemon = await start(letIn(strangers));
    assert.deepEqual(
      [kvm, strangers].map((gid) => reads(gid, early)),
      [false, true],
    );
    assert.equal((await accessCheck(daemon)).ok, true);
  }
  {
    await using daemon = await start('[socket]\nmode = "0600"\n');
    assert.deepEqual(
      [kvm, strangers].map((gid) => reads(gid, early)),
      [false, false],
    );
    assert.equal(statSync(home.state).mode & 0o777, 0o700);
    assert.equal((await accessCheck(daemon)).ok, true);
  }
});

test("a state folder that its owner opened otherwise stays so", async () => {
  await using home = await makeDaemonHome();
  const config = join(home.folder, "config.toml");
  writeFileSync(config, `[socket]\nmode = "0660"\ngroup = "${kvm}"\n`);
  chmodSync(home.state, 0o750);
  chownSync(home.state, 0, strangers);
  await using daemon = await startDaemonProcess({ home, env: { BANGER_CONFIG: config } });
  const { mode, gid } = statSync(home.state);
  assert.deepEqual([mode & 0o777, gid], [0o750, strangers]);
  const check = await accessCheck(daemon);
  assert.ok(!check.ok && check.remedy.includes(`chgrp ${kvm} ${home.state}`), check.remedy);
});
