import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { openChannel } from "../../src/client/channel.ts";
import { inheritedSocket } from "../../src/service/activation.ts";
import { freePort } from "../system/free-port.ts";

const cases: readonly (readonly [Record<string, string>, number | undefined])[] = [
  [{}, undefined],
  [{ LISTEN_PID: "7", LISTEN_FDS: "1" }, 3],
  [{ LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: "bangerd.socket" }, 3],
  // Meant for the process that started this one.
  [{ LISTEN_PID: "6", LISTEN_FDS: "1" }, undefined],
  [{ LISTEN_FDS: "1" }, undefined],
];

for (const [env, fd] of cases) {
  test(`${JSON.stringify(env)} for process 7`, () => assert.equal(inheritedSocket(env, 7), fd));
}

for (const count of ["0", "2", "x"]) {
  test(`${count} sockets are refused`, () =>
    assert.throws(
      () => inheritedSocket({ LISTEN_PID: "7", LISTEN_FDS: count }, 7),
      (error) => hasReason(error, "SOCKET_INVALID"),
    ));
}

/** Starts bangerd as systemd would, by the first connection to what `listen` names. */
async function activate(listen: string, folder: string, socket: string) {
  const bangerd = join(import.meta.dirname, "../../src/bin/bangerd.js");
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    BANGER_STATE_DIR: join(folder, "state"),
    BANGER_CACHE_DIR: join(folder, "cache"),
    BANGER_SOCKET: socket,
  };
  const passed = Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`);
  const activator = spawn(
    "systemd-socket-activate",
    [`--listen=${listen}`, ...passed, process.execPath, bangerd],
    { stdio: ["ignore", "ignore", "pipe"], env },
  );
  const ended = once(activator, "exit");
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  let said = "";
  activator.stderr.on("data", (chunk: Buffer) => {
    said += String(chunk);
    if (said.includes("Listening on")) resolve();
  });
  await listening;
  return { activator, ended, said: () => said };
}

test("a socket of the network is no way in", async () => {
  await using place = await makeTempDir("banger-activation-");
  const port = await freePort();
  const { ended, said } = await activate(`127.0.0.1:${port}`, place.path, join(place.path, "run.sock"));
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {});
  const [code] = await ended;
  client.destroy();
  assert.equal(code, 1);
  assert.match(said(), /the socket that was passed on is one of the network/);
});

test("the first connection to systemd's socket starts the daemon, which leaves the socket when it stops", async () => {
  await using place = await makeTempDir("banger-activation-");
  const socket = join(place.path, "run.sock");
  const { activator, ended } = await activate(socket, place.path, socket);

  {
    using channel = openChannel(socket);
    const status = await channel.unary(DaemonService.method.getDaemonStatus, {}, AbortSignal.timeout(30_000));
    // The activator has become the daemon.
    assert.equal(status.pid, activator.pid);
    assert.equal(status.socketPath, socket);
  }
  activator.kill("SIGTERM");
  const [code] = await ended;
  assert.equal(code, 0);
  assert.ok(existsSync(socket), "it is systemd's to remove");
});
