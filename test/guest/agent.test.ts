import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, release } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import type { ChildProcess } from "node:child_process";
import { ask, get, open, readAnswer, startAgent } from "./agent-client.ts";
import { buildPrograms, runProgram, temporaryFolder } from "./programs.ts";

const folder = temporaryFolder();
const program = join(folder, "banger-vsock-agent");
const path = join(folder, "agent.sock");
let agent: ChildProcess | undefined;

before(async () => {
  buildPrograms(folder);
  agent = await startAgent(program, path);
});
after(() => {
  agent?.kill();
});

function parsed(body: string | undefined): Record<string, unknown> {
  const value: unknown = JSON.parse(body ?? "");
  assert.ok(typeof value === "object" && value !== null);
  return { ...value };
}

test("/healthz", async () => {
  const answer = await get(path, "/healthz");
  assert.equal(answer?.status, 200);
  assert.deepEqual(parsed(answer.body), { status: "ok" });
  assert.match(answer.head, /\r\nContent-Type: application\/json\r\n/);
  assert.match(answer.head, /\r\nConnection: close(\r\n|$)/);
  assert.ok(answer.head.includes(`\r\nContent-Length: ${Buffer.byteLength(answer.body)}\r\n`));
});

test("/info says what the kernel says", async () => {
  const answer = await get(path, "/info");
  assert.equal(answer?.status, 200);
  const info = parsed(answer.body);
  assert.equal(info["boot_id"], readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  assert.equal(info["hostname"], hostname());
  assert.ok(typeof info["uptime_seconds"] === "number" && info["uptime_seconds"] > 0);
  assert.ok(JSON.stringify(info["kernel"]).includes(`"release":${JSON.stringify(release())}`));
  assert.match(
    JSON.stringify(info["addresses"]),
    /"family":"inet","address":"127\.0\.0\.1","prefix_length":8/,
  );
});

test("/ports lists what listens, and only that", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const entry = `{"family":"inet","address":"127.0.0.1","port":${address.port}}`;
  const listening = await get(path, "/ports");
  server.close();
  await once(server, "close");
  const closed = await get(path, "/ports");
  assert.ok(listening !== null && listening.body.includes(entry));
  assert.equal(parsed(listening.body)["truncated"], false);
  assert.equal(closed?.body.includes(entry), false);
});

test("HEAD has the length and no body; a query is not part of the path; absolute targets are taken", async () => {
  const head = await ask(path, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(head?.body, "");
  assert.match(head.head, /Content-Length: 16/);
  assert.equal((await get(path, "/healthz?a=/info"))?.status, 200);
  assert.equal((await get(path, "http://guest/healthz"))?.status, 200);
  assert.equal((await ask(path, "GET /healthz HTTP/1.0\r\n\r\n"))?.status, 200);
  assert.equal((await ask(path, "\r\n\nGET /healthz HTTP/1.1\nhOsT:\n\n"))?.status, 200);
});

test("what is wrong has its own status", async () => {
  const cases: readonly (readonly [string, number])[] = [
    ["GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404],
    ["GET /healthz/ HTTP/1.1\r\nHost: a\r\n\r\n", 404],
    ["GET /%68ealthz HTTP/1.1\r\nHost: a\r\n\r\n", 404],
    ["POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 405],
    ["get /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    ["GET /healthz HTTP/1.1\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    ["GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1 \r\nHost: a\r\n\r\n", 400],
    ["GET healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET http:///healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET /healthz\r\n\r\n", 400],
    ["GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", 505],
    ["GET /healthz HTTPS/1.1\r\nHost: a\r\n\r\n", 400],
    ["G@T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET /h\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400],
    ["GET /healthz HTTP/1.1\r\nHost: a\r\nx: \0\r\n\r\n", 400],
    ["\x16\x03\x01\x02\x00\x01\x00", 400],
  ];
  for (const [request, status] of cases) {
    const answer = await ask(path, request);
    assert.equal(answer?.status, status, JSON.stringify(request));
    assert.ok(typeof parsed(answer.body)["error"] === "string");
    assert.equal(answer.head.includes("\r\nAllow: GET, HEAD"), status === 405);
  }
});

test("a head may come byte by byte, and be at most 4096 bytes long", async () => {
  const socket = await open(path);
  const answer = readAnswer(socket);
  for (const byte of "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n") {
    socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await answer)?.status, 200);
  const start = "GET /healthz HTTP/1.1\r\nHost: a\r\nx: ";
  const fits = `${start}${"y".repeat(4096 - start.length - 4)}\r\n\r\n`;
  assert.equal((await ask(path, fits))?.status, 200);
  assert.equal((await ask(path, `${start}${"y".repeat(4096)}\r\n\r\n`))?.status, 431);
  assert.equal((await ask(path, `GET /${"y".repeat(300_000)}`))?.status, 431);
});

test("one request a connection: what follows is not answered, and does not spoil the answer", async () => {
  const twice = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
  const answer = await ask(path, twice);
  assert.deepEqual(parsed(answer?.body), { status: "ok" });
});

test("a client that has closed its side still gets its answer; half a request is an error", async () => {
  const done = await open(path);
  const answer = readAnswer(done);
  done.end("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await answer)?.status, 200);
  const half = await open(path);
  const error = readAnswer(half);
  half.end("GET /healthz HT");
  assert.equal((await error)?.status, 400);
  const nothing = await open(path);
  const silence = readAnswer(nothing);
  nothing.end();
  assert.equal(await silence, null);
});

test("clients that are stuck neither stop others nor stay", async () => {
  const stuck = await Promise.all(Array.from({ length: 100 }, async () => await open(path)));
  const ends = stuck.map(async (socket, index) => {
    const answer = readAnswer(socket);
    if (index % 2 === 0) socket.write("GET /hea");
    return await answer;
  });
  const served = await Promise.all(Array.from({ length: 20 }, async () => await get(path, "/healthz")));
  assert.ok(served.every((answer) => answer?.status === 200));
  const statuses = (await Promise.all(ends)).map((answer) => answer?.status);
  assert.deepEqual(new Set(statuses), new Set([408, undefined]));
});

test("more connections than there are places wait, and are served", async () => {
  const stuck = await Promise.all(Array.from({ length: 128 }, async () => await open(path)));
  const ends = stuck.map(readAnswer);
  const answers = await Promise.all(Array.from({ length: 300 }, async () => await get(path, "/info")));
  assert.ok(answers.every((answer) => answer?.status === 200));
  await Promise.all(ends);
  assert.equal((await get(path, "/healthz"))?.status, 200);
});

test("it has no rights left", () => {
  const status = readFileSync(`/proc/${String(agent?.pid)}/status`, "utf8");
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^CapEff:\t0{16}$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  if (process.getuid?.() === 0) {
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
    assert.match(status, /^Groups:\t\s*$/m);
    assert.match(status, /^CapBnd:\t0{16}$/m);
  }
});

test("wrong arguments are refused, and no file is replaced by a socket", () => {
  const taken = join(folder, "taken");
  writeFileSync(taken, "mine");
  for (const args of [
    ["--port", "0"],
    ["--port", "4294967295"],
    ["--port", "+1"],
    ["--port", "1 "],
    ["--port"],
    ["x"],
  ])
    assert.equal(runProgram(program, args).status, 2, args.join(" "));
  assert.equal(runProgram(program, ["--unix", taken]).status, 1);
  assert.equal(readFileSync(taken, "utf8"), "mine");
  for (const args of [
    ["lo", "10.0.0.1"],
    ["lo", "10.0.0.256/8"],
    ["", "10.0.0.1/8"],
    ["lo", "10.0.0.1/8", "x"],
  ])
    assert.equal(runProgram(program, ["--set-address", ...args]).status, 2, args.join(" "));
});
