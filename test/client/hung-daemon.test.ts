import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CacheService } from "../../gen/banger/image/v1/cache_service_pb.ts";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import {
  ImageService,
  ListImagesResponseSchema,
  PullImageResponseSchema,
} from "../../gen/banger/image/v1/image_service_pb.ts";
import { KernelService } from "../../gen/banger/image/v1/kernel_service_pb.ts";
import { BangerError } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { openChannel } from "../../src/client/channel.ts";
import { wordedMethods } from "../../src/client/call-words.ts";
import { noticed, waitNotice } from "../../src/client/wait-notice.ts";
import { serverStreaming, unary } from "../../src/service/routes.ts";
import { inTerminal } from "../system/in-terminal.ts";
import * as make from "./events.ts";
import { banger, startBanger } from "./run-banger.ts";
import { scriptedServer } from "./scripted-server.ts";

/** As a daemon that is stopped: its kernel takes the connections, and nobody reads them. */
interface HungDaemon extends AsyncDisposable {
  readonly socketPath: string;
}

async function hungDaemon(): Promise<HungDaemon> {
  const place = await makeTempDir("banger-hung-");
  const socketPath = join(place.path, "s.sock");
  const open = new Set<Socket>();
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => {});
  });
  server.listen(socketPath);
  await once(server, "listening");
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

const { signal } = new AbortController();

function failureOf(call: Promise<unknown>): Promise<BangerError> {
  return call.then(
    () => assert.fail("it answered"),
    (error: unknown) => (error instanceof BangerError ? error : assert.fail(String(error))),
  );
}

test("a daemon that takes the connection and sends nothing is given up, with what to do", async () => {
  await using daemon = await hungDaemon();
  const patience = { daemon: `the daemon on ${daemon.socketPath}`, greetingMs: 50 };
  using channel = openChannel(daemon.socketPath, patience);
  const listed = await failureOf(channel.unary(ImageService.method.listImages, {}, signal));
  assert.equal(listed.reason, "DAEMON_UNREACHABLE");
  assert.equal(
    listed.message,
    `the daemon on ${daemon.socketPath} takes connections but does not answer: it was to list images, and sent nothing for 50 ms`,
  );
  assert.match(listed.hint, /restart it: what was downloaded is kept/);
  const pulled = await failureOf(
    channel.stream(ImageService.method.pullImage, { reference: "a" }, signal)[Symbol.asyncIterator]().next(),
  );
  assert.match(pulled.message, /it was to pull the image/);
});

test("a call that the daemon does not get on with is given up", async () => {
  await using server = await scriptedServer(
    unary(ImageService.method.listImages, async (_request, { signal: gone }) => {
      await once(gone, "abort");
      return create(ListImagesResponseSchema, {});
    }),
  );
  using channel = openChannel(server.socketPath, { daemon: "the daemon", greetingMs: 30_000, answerMs: 50 });
  const { reason, message, hint } = await failureOf(
    channel.unary(ImageService.method.listImages, {}, signal),
  );
  assert.deepEqual([reason, message], ["TIMED_OUT", "the daemon did not list images within 50 ms"]);
  assert.match(hint, /log/);
});

test("a terminal is told what is waited for, and Ctrl-C what was interrupted", async () => {
  await using daemon = await hungDaemon();
  const program = join(import.meta.dirname, "../../src/bin/banger.js");
  const words = [process.execPath, program, "--socket", daemon.socketPath, "image", "ls"];
  using run = inTerminal(words, { HOME: "/nonexistent" }, { columns: 200, rows: 24 });
  while (!run.output().includes("Waiting for")) await once(run.child.stdout ?? assert.fail(), "data");
  run.type("\u0003");
  assert.equal(await run.ended, 130);
  assert.deepEqual(run.screen.lines.slice(0, 2), [
    `Waiting for the daemon on ${daemon.socketPath} to list images. Ctrl-C ends the wait.`,
    `banger: interrupted while waiting for the daemon on ${daemon.socketPath} to list images`,
  ]);
  assert.doesNotMatch(run.output(), /[Pp]ull/);
});

test("in a pipe it is said once, and not where errors are JSON", async () => {
  await using daemon = await hungDaemon();
  const inspect = startBanger(["--socket", daemon.socketPath, "image", "pull", "debian"]);
  let said = "";
  inspect.child.stderr?.setEncoding("utf8").on("data", (piece: string) => (said += piece));
  while (!said.includes("Waiting for")) await once(inspect.child.stderr ?? assert.fail(), "data");
  inspect.child.kill("SIGTERM");
  assert.match(
    (await inspect.ended).stderr,
    /^Waiting for the daemon on \S+ to pull the image\. .+\nbanger: interrupted .+\n {2}→ Pull again to go on/,
  );

  const told: string[] = [];
  const notice = waitNotice((what) => told.push(what), 0);
  for (const what of ["one", "two"]) {
    const saying = new Promise<void>((resolve) => setTimeout(resolve, 5));
    using _waiting = notice.waitFor(what);
    await saying;
  }
  assert.deepEqual(told, ["one"]);
});

test("a picture that is redrawn has the notice in it, until the first event", async () => {
  const goOn = Promise.withResolvers<void>();
  await using server = await scriptedServer(
    serverStreaming(ImageService.method.pullImage, async function* () {
      await goOn.promise;
      for (const event of make.wholePull()) yield create(PullImageResponseSchema, { event });
    }),
  );
  const program = join(import.meta.dirname, "../../src/bin/banger.js");
  const words = [process.execPath, program, "--socket", server.socketPath, "image", "pull", "debian"];
  using run = inTerminal(words, { HOME: "/nonexistent" }, { columns: 120, rows: 30 });
  let seen = false;
  run.screen.onFrame = () => {
    if (!run.screen.visible.some((line) => / waiting: for the daemon on .+ to pull the image$/.test(line)))
      return;
    seen = true;
    goOn.resolve();
  };
  assert.equal(await run.ended, 0, run.output());
  assert.ok(seen);
  assert.ok(!run.screen.lines.some((line) => line.includes("waiting: for")));
});

test("an answer in time says nothing", async () => {
  await using server = await scriptedServer(
    unary(ImageService.method.listImages, async () => create(ListImagesResponseSchema, {})),
  );
  using channel = openChannel(server.socketPath);
  const told: string[] = [];
  const rpc = noticed(
    channel,
    "the daemon",
    waitNotice((what) => told.push(what), 60_000),
  );
  await rpc.unary(ImageService.method.listImages, {}, signal);
  assert.deepEqual(told, []);
});

test("a shell's Tab does not hang with the daemon", async () => {
  await using daemon = await hungDaemon();
  const ran = await banger(["complete", "--", "--socket", daemon.socketPath, "image", "inspect", ""], {
    BANGER_SOCKET: daemon.socketPath,
  });
  assert.match(ran.stdout, /:none\n$/);
  assert.doesNotMatch(ran.stderr, /Waiting/);
});

/** Calls of other programs' daemons, and what no command asks. */
const uncalled = new Set(["AcquireImage", "GetKernel", "GetPull", "ReleaseImage"]);

test("every call that commands make has words of its own", () => {
  const methods = [ImageService, KernelService, CacheService, DaemonService].flatMap((one) => one.methods);
  const names = methods.map(({ name }) => name).filter((name) => !uncalled.has(name));
  assert.deepEqual([...wordedMethods()].toSorted(), names.toSorted());
});
