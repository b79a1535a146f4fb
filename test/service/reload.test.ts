import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Builder } from "../../gen/banger/image/v1/image_pb.ts";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { openChannel } from "../../src/client/channel.ts";
import { loadConfig } from "../../src/service/config.ts";
import { startDaemon } from "../../src/service/daemon.ts";
import { lineLog } from "../../src/service/log.ts";
import { locatePaths } from "../../src/service/paths.ts";
import { ScriptedPulls } from "./scripted-pulls.ts";

let dir: TempDir;
let lines: string[];
const pulls = new ScriptedPulls();

beforeEach(async () => {
  dir = await makeTempDir("banger-reload-");
  lines = [];
});
afterEach(() => dir[Symbol.asyncDispose]());

const configPath = () => join(dir.path, "c.toml");
const write = (text: string) => writeFile(configPath(), text);

function load() {
  const place = { env: {}, home: dir.path, folder: dir.path };
  return loadConfig(locatePaths({ config: "c.toml", stateDir: "state", cacheDir: "cache" }, place), {});
}

function start(config = load()) {
  return startDaemon(config, {
    log: lineLog((line) => lines.push(line)),
    openPulls: async () => pulls,
  });
}

const failing = (reason: Reason) => (error: unknown) => hasReason(error, reason);

describe("a daemon told to read its config again", () => {
  test("takes over what can change, and names what waits for a restart", async () => {
    await write("[limits]\nlayers = 3\n");
    const config = load();
    await using daemon = await start(config);
    await write(
      '[limits]\nlayers = 4\nclient_streams = 9\n[registry]\nbandwidth = "1MiB"\ncerts_dirs = ["/c"]\n[socket]\nmode = "0660"',
    );
    daemon.reload();
    assert.equal(config.limits.layers, 4);
    assert.equal(config.live.settings.registry.bandwidth, 1024 * 1024);
    const log = lines.join("");
    assert.match(log, /info read the config again .*changed=\["registry\.bandwidth","limits\.layers"\]/);
    assert.match(
      log,
      /warn some settings wait .*settings=\["socket\.mode","registry\.certs_dirs","limits\.client_streams"\]/,
    );
  });

  test("keeps the old one where the new one is wrong, or gone", async () => {
    await write("[limits]\nlayers = 3\n");
    const config = load();
    await using daemon = await start(config);
    await write("[limits]\nlayers = -4\n");
    daemon.reload();
    assert.match(
      lines.at(-1) ?? "",
      /error the config is wrong, and stays as it was .*c\.toml:2:1: limits\.layers/,
    );
    await rm(configPath());
    daemon.reload();
    assert.match(lines.at(-1) ?? "", /error .*there is no config file/);
    assert.equal(config.limits.layers, 3);
  });

  test("does so on SIGHUP, and lives on", async () => {
    await write("[limits]\nlayers = 3\n");
    const bangerd = join(import.meta.dirname, "../../src/bin/bangerd.js");
    const flags = ["--state-dir", "state", "--cache-dir", "cache", "--config", "c.toml"];
    const child = spawn(process.execPath, [bangerd, ...flags], {
      cwd: dir.path,
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: process.env["PATH"], HOME: dir.path },
    });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (log += piece));
    const said = async (words: RegExp) => {
      while (!words.test(log)) {
        if (child.exitCode !== null) assert.fail(log);
        await sleep(10);
      }
    };
    await said(/serving/);
    await write("[limits]\nlayers = 4\n");
    child.kill("SIGHUP");
    await said(/read the config again .*\["limits\.layers"\]/);
    await write("[limits");
    child.kill("SIGHUP");
    await said(/the config is wrong/);
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });
});

describe("a daemon's config", () => {
  test("says who builds what no client says, now and when it changes", async () => {
    await write('[pulls]\nbuilder = "direct"');
    await using daemon = await start();
    using channel = openChannel(daemon.socketPath);
    const ask = async (builder: Builder = Builder.UNSPECIFIED) => {
      const request = { reference: "debian:12", options: { builder } };
      await assert.rejects(
        channel.unary(ImageService.method.resolveImage, request, new AbortController().signal),
      );
      return pulls.requests.at(-1)?.builder;
    };
    assert.equal(await ask(), "direct");
    assert.equal(await ask(Builder.E2FSPROGS), "e2fsprogs");
    await write("");
    daemon.reload();
    assert.equal(await ask(), undefined);
  });

  test("opens the socket to a group", async () => {
    await write(`[socket]\nmode = "0660"\ngroup = "${process.getgid?.() ?? 0}"`);
    await using daemon = await start();
    assert.equal((await stat(daemon.socketPath)).mode & 0o777, 0o660);
  });

  test("of a group that is not there stops the start, and leaves nothing behind", async () => {
    await write('[socket]\ngroup = "no-such-group-here"');
    await assert.rejects(start(), failing("CONFIG_INVALID"));
    await write("");
    await using _daemon = await start();
  });

  for (const folder of ["state", "cache", "temp", "run"]) {
    test(`of a ${folder} folder that others may write stops the start`, async () => {
      await write(`[paths]\ntemp_dir = "${dir.path}/temp"\nsocket = "${dir.path}/run/s.sock"`);
      const place = { env: {}, home: dir.path, folder: dir.path };
      const flags = { config: "c.toml", cacheDir: "cache", socket: "run/s.sock", stateDir: "state" };
      const config = loadConfig(locatePaths(flags, place), {});
      await mkdir(join(dir.path, folder));
      await chmod(join(dir.path, folder), 0o777);
      await assert.rejects(start(config), failing("STATE_UNSAFE"));
      await chmod(join(dir.path, folder), 0o700);
      await using _daemon = await start(config);
    });
  }
});
