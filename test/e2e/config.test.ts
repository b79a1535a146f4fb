import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { makeDaemonHome, runCli, startDaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

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
  const reload = async (text: string): Promise<void> => {
    const before = daemon.log().length;
    writeFileSync(config, text);
    daemon.child.kill("SIGHUP");
    while (!/config/.test(daemon.log().slice(before)))
      await once(daemon.child.stderr ?? assert.fail(), "data");
  };

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
