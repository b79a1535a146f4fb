import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildArtifact, buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { makeDaemonHome, runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

async function reloadWith(daemon: DaemonProcess, config: string, text: string): Promise<void> {
  const before = daemon.log().length;
  writeFileSync(config, text);
  daemon.child.kill("SIGHUP");
  while (!/config/.test(daemon.log().slice(before))) await once(daemon.child.stderr ?? assert.fail(), "data");
}

test("limits and the builder are the config's, from the start and from a SIGHUP on", async () => {
  const layers = await Promise.all(["a", "b"].map((name) => tarOf((put) => put({ name }, name))));
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", buildImage({ layers }));
  await using home = await makeDaemonHome();
  const config = join(home.folder, "config.toml");
  writeFileSync(config, "[limits]\nlayers = 1\n");
  await using daemon = await startDaemonProcess({ home, env: { BANGER_CONFIG: config } });
  const pull = (...words: readonly string[]) =>
    runCli(daemon, "image", "pull", `${registry.host}/team/app:1.0`, "--no-agents", ...words);
  const reload = (text: string) => reloadWith(daemon, config, text);

  const refused = await pull();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /2 layers.*limit is 1/);
  assert.match(refused.stderr, /raise layers under \[limits\] in the config file/);

  await reload('[limits]\nlayers = 2\n[pulls]\nbuilder = "e2fsprogs"\n');
  const taken = await pull("--progress", "json");
  assert.equal(taken.status, 0, taken.stderr);
  assert.match(taken.stderr, /"ext4Built":\{"builder":"BUILDER_E2FSPROGS"/);

  await reload("[limits]\nlayers = none\n");
  assert.match(daemon.log(), /error the config is wrong, and stays as it was .*:2:10: this is not TOML/);
  assert.equal((await pull("--name", "again")).status, 0);
});

test("how many may ask a registry at once is the config's, also for those that wait already", async () => {
  await using registry = await FakeRegistry.start();
  const image = buildImage({ layers: [await tarOf((put) => put({ name: "a" }, "a"))] });
  registry.add("app", "1", image);
  registry.fault({ path: /slow\/manifests/ }, { hang: true });
  await using home = await makeDaemonHome();
  const config = join(home.folder, "config.toml");
  writeFileSync(config, "[limits]\nconcurrent_resolves = 1\n");
  await using daemon = await startDaemonProcess({ home, env: { BANGER_CONFIG: config } });
  const pull = (name: string) => runCli(daemon, "image", "pull", `${registry.host}/${name}:1`, "--no-agents");
  let slowEnded = false;
  const slow = pull("slow").finally(() => (slowEnded = true));
  while (registry.asked(/slow\/manifests/).length === 0) await sleep(20);
  const waiting = pull("app");
  const underWay = async () => (await runCli(daemon, "pull", "ls", "--active", "--json")).stdout;
  while (!/\/app:1/.test(await underWay())) await sleep(20);
  assert.deepEqual(registry.asked(/app\/manifests/), []);
  await reloadWith(daemon, config, "[limits]\nconcurrent_resolves = 2\n");
  const { status, stderr } = await waiting;
  assert.equal(status, 0, stderr);
  assert.equal(slowEnded, false);
  await registry.goAway();
  daemon.child.kill("SIGTERM");
  await slow;
});

test("a pull whose kernel is long in coming keeps no other from asking its registry", async () => {
  await using registry = await FakeRegistry.start();
  const image = buildImage({ layers: [await tarOf((put) => put({ name: "a" }, "a"))] });
  registry.add("app", "1", image);
  registry.add("kernel", "1", buildArtifact({ kernel: Buffer.from("a kernel") }));
  registry.fault({ path: /kernel\/blobs/ }, { hang: true });
  await using home = await makeDaemonHome();
  const config = join(home.folder, "config.toml");
  writeFileSync(config, "[limits]\nconcurrent_resolves = 1\n");
  await using daemon = await startDaemonProcess({ home, env: { BANGER_CONFIG: config } });
  const pull = (...words: readonly string[]) =>
    runCli(daemon, "image", "pull", `${registry.host}/app:1`, "--no-agents", ...words);
  let slowEnded = false;
  const slow = pull("--kernel-ref", `artifact:${registry.host}/kernel:1`).finally(() => (slowEnded = true));
  while (registry.asked(/kernel\/blobs/).length === 0) await sleep(20);
  const other = await pull("--name", "other");
  assert.equal(other.status, 0, other.stderr);
  assert.equal(slowEnded, false);
  await registry.goAway();
  daemon.child.kill("SIGTERM");
  await slow;
});
