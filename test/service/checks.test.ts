import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { readConfig } from "../../src/config/read.ts";
import type { CheckResult } from "../../src/service/check-result.ts";
import { runChecks } from "../../src/service/checks.ts";
import { loadConfig, type DaemonConfig } from "../../src/service/config.ts";
import { locatePaths } from "../../src/service/paths.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await makeTempDir("banger-checks-");
});
afterEach(() => dir[Symbol.asyncDispose]());

const { signal } = new AbortController();
const configPath = () => join(dir.path, "c.toml");

function load(env: Readonly<Record<string, string>> = {}): DaemonConfig {
  const place = { env, home: dir.path, folder: dir.path };
  const flags = { config: configPath(), stateDir: "state", cacheDir: "cache", socket: "run/s.sock" };
  return loadConfig(locatePaths(flags, place), { TMPDIR: dir.path, ...env });
}

async function check(config: DaemonConfig, name: string, serving = false): Promise<CheckResult> {
  const results = await runChecks(config, signal, serving);
  return results.find((result) => result.name === name) ?? assert.fail(`no check ${name}`);
}

describe("the check of", () => {
  test("a folder: not there yet, there, open to others", async () => {
    await writeFile(configPath(), "");
    const config = load();
    const { stateDir } = config.paths;
    assert.match((await check(config, "state folder")).detail, /is not there yet, and can be made$/);
    assert.equal((await check(config, "state space")).ok, true);
    await mkdir(stateDir, { mode: 0o700 });
    assert.deepEqual(await check(config, "state folder"), {
      name: "state folder",
      ok: true,
      detail: stateDir,
      remedy: "",
    });
    await chmod(stateDir, 0o777);
    const open = await check(config, "state folder");
    assert.equal(open.ok, false);
    assert.match(open.remedy, /chmod go-w/);
    await writeFile(join(dir.path, "file"), "");
    const under = { ...config, paths: { ...config.paths, cacheDir: join(dir.path, "file", "cache") } };
    assert.equal((await check(under, "cache folder")).detail, `${join(dir.path, "file")} is not a folder`);
    const file = { ...config, paths: { ...config.paths, stateDir: join(dir.path, "file") } };
    assert.equal((await check(file, "state folder")).ok, false);
  });

  test("the config: none, as it was, changed since, waiting for a restart, wrong", async () => {
    const place = { env: {}, home: dir.path, folder: dir.path };
    const none = loadConfig(locatePaths({ stateDir: "state" }, place), {});
    assert.match((await check(none, "config")).detail, /^none at .*: all is by default$/);
    await writeFile(configPath(), "[limits]\nlayers = 3\n");
    const config = load();
    assert.deepEqual(await check(config, "config"), {
      name: "config",
      ok: true,
      detail: configPath(),
      remedy: "",
    });
    await chmod(configPath(), 0o666);
    assert.match((await check(config, "config")).detail, /may be written by everybody$/);
    await chmod(configPath(), 0o644);
    await writeFile(configPath(), '[limits]\nlayers = 4\n[socket]\nmode = "0660"\n');
    const changed = await check(config, "config");
    assert.match(changed.detail, /has changed: socket\.mode, limits\.layers$/);
    assert.match(changed.remedy, /SIGHUP/);
    config.live.replace(readConfig({ path: configPath(), named: true }));
    const waiting = await check(config, "config");
    assert.match(waiting.detail, /socket\.mode count from the next start on$/);
    assert.equal(waiting.remedy, "Restart the daemon.");
    await writeFile(configPath(), "[limits]\nlayers = -4\n");
    const wrong = await check(config, "config");
    assert.match(wrong.detail, /c\.toml:2:1: limits\.layers: expected/);
    assert.notEqual(wrong.remedy, "");
    await writeFile(configPath(), "[limits]\nlayers = -4\nlayer = 3\n");
    const both = (await runChecks(config, signal, false)).filter(({ name }) => name === "config");
    assert.deepEqual(
      both.map(({ ok, detail }) => [ok, /:\d:1: limits\.\w+/.exec(detail)?.[0]]),
      [
        [false, ":2:1: limits.layers"],
        [false, ":3:1: limits.layer"],
      ],
    );
  });

  test("the guest's assets, as they are for pulls", async () => {
    await writeFile(configPath(), "");
    const own = join(dir.path, "own");
    await mkdir(own);
    await writeFile(join(own, "motd"), "hello\n");
    const agent = join(dir.path, "agent");
    const config = load({ BANGER_AGENT: agent, BANGER_GUEST_ASSETS: own });
    const missing = await check(config, "guest assets");
    assert.equal(missing.ok, false);
    assert.match(missing.detail, /agent/);
    assert.notEqual(missing.remedy, "");
  });

  test("the socket: within its group's reach, or not", async () => {
    await writeFile(configPath(), "");
    const config = load();
    const { socketPath } = config.paths;
    assert.match((await check(config, "socket", true)).remedy, /Restart the daemon/);
    await mkdir(join(dir.path, "run"), { mode: 0o700 });
    const server = createServer().listen(socketPath);
    await once(server, "listening");
    try {
      await chmod(socketPath, 0o600);
      assert.deepEqual((await check(config, "socket", true)).ok, true);
      await chmod(socketPath, 0o660);
      const closed = await check(config, "socket", true);
      assert.equal(closed.ok, false);
      assert.match(closed.detail, /run keeps it out$/);
      await chmod(join(dir.path, "run"), 0o710);
      await chmod(dir.path, 0o711);
      assert.equal((await check(config, "socket", true)).ok, true);
    } finally {
      server.close();
    }
  });
});
