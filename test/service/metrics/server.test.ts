import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { hasReason } from "../../../src/base/error.ts";
import { makeTempDir } from "../../../src/base/files.ts";
import { serveMetrics } from "../../../src/service/metrics/server.ts";
import { ownerOnly } from "../../../src/service/unix-socket.ts";

const loopback = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
const page = async () => "a 1\n";

describe("the metrics server", () => {
  test("answers on a port until it is disposed of", async () => {
    const server = await serveMetrics(loopback, ownerOnly, page);
    const { address } = server;
    const answer = await fetch(address);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(await answer.text(), "a 1\n");
    assert.equal((await fetch(address, { method: "HEAD" })).status, 200);
    assert.equal((await fetch(`${address}?x=1`)).status, 200);
    assert.equal((await fetch(address, { method: "POST", body: "x" })).status, 405);
    assert.equal((await fetch(address.replace("/metrics", "/"))).status, 404);
    await server[Symbol.asyncDispose]();
    await assert.rejects(fetch(address));
  });

  test("answers on a unix socket, its owner's alone, and removes it", async () => {
    await using dir = await makeTempDir("banger-metrics-");
    const path = join(dir.path, "m.sock");
    const server = await serveMetrics({ kind: "unix", path }, ownerOnly, page);
    assert.equal(server.address, path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const asked = request({ socketPath: path, path: "/metrics", agent: false }).end();
    const [response] = await once(asked, "response");
    response.setEncoding("utf8");
    assert.deepEqual(await response.toArray(), ["a 1\n"]);
    await server[Symbol.asyncDispose]();
    assert.ok(!existsSync(path));
  });

  test("tells who asked what went wrong, and lives on", async () => {
    let fails = true;
    await using server = await serveMetrics(loopback, ownerOnly, async () => {
      if (fails) throw new Error("no such file");
      return "fine";
    });
    const answer = await fetch(server.address);
    assert.equal(answer.status, 500);
    assert.match(await answer.text(), /no such file/);
    fails = false;
    assert.equal((await fetch(server.address)).status, 200);
  });

  test("is not held up by one who never asks", async () => {
    const server = await serveMetrics(loopback, ownerOnly, page);
    const silent = connect(Number(new URL(server.address).port), "127.0.0.1");
    await once(silent, "connect");
    const closed = once(silent, "close");
    silent.on("error", () => {});
    await server[Symbol.asyncDispose]();
    await closed;
  });

  test("says so where its port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : assert.fail();
    await assert.rejects(
      serveMetrics({ ...loopback, port }, ownerOnly, page),
      (error) => hasReason(error, "SOCKET_INVALID") && error.message.includes(`127.0.0.1:${port}`),
    );
    other.close();
  });
});
