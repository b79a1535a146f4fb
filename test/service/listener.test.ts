import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Server, status as Code } from "@grpc/grpc-js";
import { Health, HealthCheckRequestSchema } from "../../gen/grpc/health/v1/health_pb.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { methodDefinition } from "../../src/service/definition.ts";
import { addService, serverStreaming } from "../../src/service/routes.ts";
import { listenOn } from "../../src/service/listener.ts";
import { connectTo } from "./grpc-server.ts";
import { notImplemented } from "./not-implemented.ts";

let dir: TempDir;
let count = 0;
const newPath = (): string => join(dir.path, `${count++}.sock`);
before(async () => {
  dir = await makeTempDir("banger-listen-");
});
after(() => dir[Symbol.asyncDispose]());

const invalid = (error: unknown): boolean => hasReason(error, "SOCKET_INVALID") && error.hint !== undefined;

/** A socket file whose process is gone. */
async function leaveStaleSocket(path: string): Promise<void> {
  const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", program]), "exit");
  assert.ok((await stat(path)).isSocket());
}

describe("the socket", () => {
  test("is its owner's alone, whatever the umask, which stays as it was", async () => {
    const path = newPath();
    const before = process.umask(0);
    try {
      const listener = await listenOn(new Server(), path);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      assert.equal(process.umask(), 0);
      await listener.close(100);
    } finally {
      process.umask(before);
    }
    await assert.rejects(stat(path), /ENOENT/);
  });

  test("and its new folder let a group in, where they are told to", async () => {
    const folder = join(dir.path, "shared");
    const path = join(folder, "s.sock");
    const gid = process.getgid?.() ?? 0;
    const listener = await listenOn(new Server(), path, { mode: 0o660, gid });
    assert.equal((await stat(path)).mode & 0o777, 0o660);
    assert.equal((await stat(path)).gid, gid);
    assert.equal((await stat(folder)).mode & 0o777, 0o710);
    await listener.close(100);
    // One that was there before is not opened to anybody.
    await chmod(folder, 0o700);
    const again = await listenOn(new Server(), path, { mode: 0o660, gid });
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    await again.close(100);
  });

  test("is not served in a folder where others could replace it", async () => {
    const folder = join(dir.path, "open");
    await mkdir(folder);
    await chmod(folder, 0o777);
    await assert.rejects(listenOn(new Server(), join(folder, "s.sock")), (error) =>
      hasReason(error, "STATE_UNSAFE"),
    );
    assert.deepEqual(await readdir(folder), []);
  });

  test("makes its folder, for its owner alone", async () => {
    const folder = join(dir.path, "run", "banger");
    const listener = await listenOn(new Server(), join(folder, "s.sock"));
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    await listener.close(100);
    assert.deepEqual(await readdir(folder), ["s.sock.lock"]);
  });

  test("one that a killed daemon left is replaced", async () => {
    const path = newPath();
    await leaveStaleSocket(path);
    const listener = await listenOn(new Server(), path);
    const socket = createConnection(path);
    await once(socket, "connect");
    socket.destroy();
    await listener.close(100);
  });

  test("one that serves is refused and goes on serving: another daemon's, another program's", async () => {
    const ours = newPath();
    const listener = await listenOn(new Server(), ours);
    await assert.rejects(listenOn(new Server(), ours), invalid);
    const theirs = newPath();
    const other = createServer((socket) => socket.on("error", () => {})).listen(theirs);
    await once(other, "listening");
    await assert.rejects(listenOn(new Server(), theirs), invalid);
    for (const path of [ours, theirs]) {
      const socket = createConnection(path);
      await once(socket, "connect");
      socket.destroy();
    }
    other.close();
    await listener.close(100);
  });

  test("what is no socket is refused and left alone", async () => {
    const file = newPath();
    await writeFile(file, "precious");
    await assert.rejects(listenOn(new Server(), file), invalid);
    assert.equal(await readFile(file, "utf8"), "precious");
    const folder = newPath();
    await mkdir(folder);
    await assert.rejects(listenOn(new Server(), folder), invalid);
    assert.ok((await stat(folder)).isDirectory());
  });

  test("a path may have 107 bytes, not 108, and must be absolute", async () => {
    const room = 107 - Buffer.byteLength(dir.path) - 1;
    const longest = join(dir.path, "\u00e9".repeat(Math.floor(room / 2)) + "x".repeat(room % 2));
    assert.equal(Buffer.byteLength(longest), 107);
    const listener = await listenOn(new Server(), longest);
    await listener.close(100);
    for (const path of [`${longest}x`, "relative.sock", ""]) {
      await assert.rejects(listenOn(new Server(), path), invalid, path);
    }
  });

  test("after a refusal the path can be had", async () => {
    const path = newPath();
    const other = createServer().listen(path);
    await once(other, "listening");
    await assert.rejects(listenOn(new Server(), path), invalid);
    other.close();
    await once(other, "close");
    const listener = await listenOn(new Server(), path);
    await listener.close(100);
  });
});

describe("closing", () => {
  /** A server with a stream that never ends by itself. */
  function endless(onAbort: () => void): Server {
    const server = new Server();
    addService(server, Health, {
      check: notImplemented(Health.method.check),
      watch: serverStreaming(Health.method.watch, async function* (_request, { signal }) {
        yield create(Health.method.watch.output, {});
        await once(signal, "abort");
        onAbort();
      }),
    });
    return server;
  }

  test("cuts off a stream that does not end, and a connection that never said anything", async () => {
    const path = newPath();
    let aborted = false;
    const listener = await listenOn(
      endless(() => (aborted = true)),
      path,
    );
    const mute = createConnection(path);
    await once(mute, "connect");
    const muteClosed = once(mute.resume(), "close");
    const client = connectTo(path);
    const { path: name, requestSerialize, responseDeserialize } = methodDefinition(Health.method.watch);
    const message = create(HealthCheckRequestSchema, {});
    const call = client.makeServerStreamRequest(name, requestSerialize, responseDeserialize, message);
    const failed = once(call, "error");
    await once(call, "data");
    await listener.close(50);
    await listener.close(50);
    const [error]: unknown[] = await failed;
    assert.ok(error instanceof Error && "code" in error);
    assert.ok(error.code === Code.CANCELLED || error.code === Code.UNAVAILABLE, String(error.code));
    await muteClosed;
    client.close();
    assert.ok(aborted);
    await assert.rejects(stat(path), /ENOENT/);
  });

  test("takes no new connection while old calls end", async () => {
    const path = newPath();
    const { promise: ending, resolve: end } = Promise.withResolvers<void>();
    const server = new Server();
    addService(server, Health, {
      check: notImplemented(Health.method.check),
      watch: serverStreaming(Health.method.watch, async function* () {
        yield create(Health.method.watch.output, {});
        await ending;
        yield create(Health.method.watch.output, {});
      }),
    });
    const listener = await listenOn(server, path);
    const client = connectTo(path);
    const { path: name, requestSerialize, responseDeserialize } = methodDefinition(Health.method.watch);
    const message = create(HealthCheckRequestSchema, {});
    const call = client.makeServerStreamRequest(name, requestSerialize, responseDeserialize, message);
    let seen = 0;
    call.on("data", () => seen++);
    await once(call, "data");
    const ended = once(call, "end");
    const closed = listener.close(60_000);
    const late = createConnection(path);
    await once(late, "error");
    end();
    await ended;
    await closed;
    assert.equal(seen, 2);
    client.close();
  });
});
