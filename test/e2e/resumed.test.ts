import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test, { before } from "node:test";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { PullState, type Pull } from "../../gen/banger/image/v1/pull_pb.ts";
import { openChannel } from "../../src/client/channel.ts";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import {
  makeDaemonHome,
  runCli,
  startDaemonProcess,
  type DaemonHome,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

const { method } = ImageService;
const banger = join(import.meta.dirname, "..", "..", "src", "bin", "banger.js");
const never = new AbortController().signal;
let image: FakeImage;
before(async () => {
  image = buildImage({ layers: [await tarOf((put) => put({ name: "noise" }, noise(8 << 20, 1)))] });
});

/** Starts a pull and leaves once it is resolved. Returns its id. */
async function startPull(
  home: DaemonHome,
  reference: string,
  options: {
    readonly detached?: boolean;
    readonly credentials?: { username: string; password: string };
  } = {},
): Promise<string> {
  using channel = openChannel(home.socket);
  const request = { reference, options: { noAgents: true, ...options } };
  for await (const { event } of channel.stream(method.pullImage, request, never)) {
    if (event?.event.case === "layerProgress") return event.pullId;
  }
  throw new Error("the pull ended before it was left");
}

async function pullOf(home: DaemonHome, pullId: string): Promise<Pull> {
  using channel = openChannel(home.socket);
  const { pull } = await channel.unary(method.getPull, { pullId }, never);
  assert.ok(pull !== undefined);
  return pull;
}

async function ended(home: DaemonHome, pullId: string): Promise<Pull> {
  for (let turns = 0; ; turns++) {
    const pull = await pullOf(home, pullId);
    if (pull.endTime !== undefined) return pull;
    assert.ok(turns < 600, "the pull ends");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Sends the layer slowly the first time, so that a daemon ends in the middle of it. */
async function slowRegistry(times: number): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const [, layer] = image.blobs;
  assert.ok(layer !== undefined);
  const path = new RegExp(layer.digest.slice("sha256:".length));
  registry.fault({ path, method: "GET", times }, { drip: { bytes: 64 * 1024, everyMs: 50 } });
  return registry;
}

const ends: Readonly<Record<string, (daemon: DaemonProcess) => Promise<unknown>>> = {
  "is killed": (daemon) => daemon.kill(),
  "is stopped": (daemon) => daemon.stop(),
};
for (const [how, end] of Object.entries(ends)) {
  test(`a detached pull goes on under its id after the daemon ${how}`, async () => {
    await using registry = await slowRegistry(1);
    await using home = await makeDaemonHome();
    await using first = await startDaemonProcess({ home });
    const pullId = await startPull(home, `${registry.host}/app:1`, { detached: true });
    assert.equal((await pullOf(home, pullId)).state, PullState.RUNNING);
    const { startTime } = await pullOf(home, pullId);
    await end(first);

    await using second = await startDaemonProcess({ home });
    assert.match(second.log(), new RegExp(`pulls that were cut off go on pulls=\\["${pullId}"\\]`));
    const pull = await ended(home, pullId);
    assert.equal(pull.state, PullState.PUBLISHED, pull.failureMessage);
    assert.deepEqual(pull.startTime, startTime);
    assert.equal(pull.detached, true);
    const images = await runCli(second, "image", "inspect", pull.imageId, "--json");
    assert.equal(images.status, 0, images.stderr);
    // And a daemon after that has nothing left to go on with.
    await second.stop();
    await using third = await startDaemonProcess({ home });
    assert.doesNotMatch(third.log(), /cut off/);
    assert.equal((await pullOf(home, pullId)).state, PullState.PUBLISHED);
  });
}

test("one that had credentials of its own can't go on, and says so; one that was watched fails", async () => {
  await using registry = await slowRegistry(1);
  await using home = await makeDaemonHome();
  await using first = await startDaemonProcess({ home });
  const credentials = { username: "somebody", password: "secret-of-somebody" };
  const withCredentials = await startPull(home, `${registry.host}/app:1`, { detached: true, credentials });
  await first.kill();
  await using second = await startDaemonProcess({ home });
  const pull = await pullOf(home, withCredentials);
  assert.equal(pull.state, PullState.FAILED);
  assert.equal(pull.failureReason, "CREDENTIALS_GONE");
  assert.match(pull.failureMessage, /credentials, which are kept nowhere/);
  assert.match(second.log(), new RegExp(`failed pulls that were cut off pulls=\\["${withCredentials}"\\]`));
  const found = spawnSync("grep", ["-rl", "secret-of-somebody", home.state, home.cache], {
    encoding: "utf8",
  });
  assert.equal(found.stdout, "");
});

test("a program that serves itself for one call leaves them to a daemon that stays", async () => {
  await using registry = await slowRegistry(1);
  await using home = await makeDaemonHome();
  await using first = await startDaemonProcess({ home });
  const pullId = await startPull(home, `${registry.host}/app:1`, { detached: true });
  await first.kill();
  const folders = ["--state-dir", home.state, "--cache-dir", home.cache];
  const env = { ...process.env, XDG_RUNTIME_DIR: home.folder, HOME: home.folder, TMPDIR: home.temp };
  const listed = spawnSync(process.execPath, [banger, ...folders, "image", "ls", "--json"], {
    encoding: "utf8",
    env,
  });
  assert.deepEqual([listed.status, JSON.parse(listed.stdout)], [0, { images: [] }], listed.stderr);
  const words = [banger, ...folders, "pull", "ls"];
  const pulls = spawnSync(process.execPath, words, { encoding: "utf8", env });
  assert.match(pulls.stdout, new RegExp(`^${pullId} +waiting `, "m"));
  await using _second = await startDaemonProcess({ home });
  assert.equal((await ended(home, pullId)).state, PullState.PUBLISHED);
});
