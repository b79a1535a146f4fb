import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ImageService, ListPullsResponseSchema } from "../../gen/banger/image/v1/image_service_pb.ts";
import { PullState, type PullEvent } from "../../gen/banger/image/v1/pull_pb.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { openChannel, type Channel } from "../../src/client/channel.ts";
import { connectDaemon } from "../../src/client/connect.ts";
import { startEmbedded } from "../../src/client/embedded.ts";
import type { Terminal } from "../../src/client/terminal.ts";
import { waitNotice } from "../../src/client/wait-notice.ts";
import { markerName } from "../../src/images/layout.ts";
import { resolvePaths, type DaemonPaths } from "../../src/service/paths.ts";
import { unary } from "../../src/service/routes.ts";
import { databasePath } from "../../src/store/layout.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { imageRecord, pullRecord } from "../store/records.ts";
import { banger } from "./run-banger.ts";
import { scriptedServer } from "./scripted-server.ts";

const terminal: Terminal = { stdout: new PassThrough(), stderr: new PassThrough(), env: {}, folder: "/" };
const { signal } = new AbortController();
const notice = waitNotice(() => {});
const say = (): void => {};

function pathsIn(folder: string): DaemonPaths {
  const env = { XDG_STATE_HOME: folder, XDG_CACHE_HOME: folder, XDG_RUNTIME_DIR: folder };
  return resolvePaths({ cacheDir: join(folder, "cache") }, { env, home: folder, folder });
}

test("a daemon started for a call is there during it, and gone after", async () => {
  await using place = await makeTempDir("banger-embed-");
  const paths = pathsIn(place.path);
  {
    await using connection = await connectDaemon({ paths, embed: true, terminal, notice, say, signal });
    const { images } = await connection.rpc.unary(ImageService.method.listImages, {}, signal);
    assert.deepEqual(images, []);
    assert.ok(existsSync(paths.socketPath));
    // A second client finds it, and does not stop it when it goes.
    await using second = await connectDaemon({ paths, embed: "", terminal, notice, say, signal });
    await second.rpc.unary(ImageService.method.listImages, {}, signal);
  }
  assert.ok(!existsSync(paths.socketPath));
});

test("a daemon started for a call is stopped where there is no calling it", async () => {
  await using place = await makeTempDir("banger-embed-");
  const paths = pathsIn(place.path);
  const options = { paths, embed: true, terminal, notice, say, signal } as const;
  const failing = {
    ...options,
    get answerMs(): number {
      throw new Error("no channel");
    },
  };
  await assert.rejects(connectDaemon(failing), /no channel/);
  assert.ok(!existsSync(paths.socketPath));
  // Nobody holds the state folder.
  await using _again = await connectDaemon(options);
});

test("a daemon started for a call leaves the address of figures to one that stays", async () => {
  await using place = await makeTempDir("banger-embed-");
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : assert.fail();
  const configPath = join(place.path, "config.toml");
  await writeFile(configPath, `[metrics]\nlisten = "127.0.0.1:${port}"\n`);
  try {
    await using _daemon = await startEmbedded({ ...pathsIn(place.path), configPath }, terminal);
  } finally {
    taken.close();
  }
});

test("a daemon that holds the state folder and answers elsewhere is named, after some patience", async () => {
  await using place = await makeTempDir("banger-embed-");
  const paths = pathsIn(place.path);
  const elsewhere = { ...paths, socketPath: join(place.path, "other.sock") };
  await using _daemon = await startEmbedded(elsewhere, terminal);
  await assert.rejects(connectDaemon({ paths, embed: true, terminal, notice, say, signal }), (error) => {
    assert.ok(hasReason(error, "STATE_LOCKED"));
    assert.ok(error.message.includes(elsewhere.socketPath), error.message);
    return true;
  });
});

test("Ctrl-C ends the wait for a daemon that starts", async () => {
  await using place = await makeTempDir("banger-embed-");
  const paths = pathsIn(place.path);
  await using _daemon = await startEmbedded({ ...paths, socketPath: join(place.path, "o.sock") }, terminal);
  const controller = new AbortController();
  const connecting = connectDaemon({ paths, embed: true, terminal, notice, say, signal: controller.signal });
  controller.abort();
  await assert.rejects(connecting, (error) => hasReason(error, "CANCELLED"));
});

test("leaving waits for as long as others have pulls under way", async () => {
  await using place = await makeTempDir("banger-embed-");
  let asked = 0;
  await using others = await scriptedServer(
    unary(ImageService.method.listPulls, async ({ activeOnly }) => {
      assert.ok(activeOnly);
      return create(ListPullsResponseSchema, { pulls: asked++ < 3 ? [{ id: "p-other" }] : [] });
    }),
  );
  await using embedded = await startEmbedded(pathsIn(place.path), terminal);
  using channel = openChannel(others.socketPath);
  await embedded.leave(channel);
  assert.equal(asked, 4);
});

/** What a daemon that was killed left in the store. */
async function leave(paths: DaemonPaths, put: (store: Store) => Promise<void>): Promise<void> {
  await mkdir(paths.stateDir, { recursive: true, mode: 0o700 });
  await using store = await openStore(databasePath(paths.stateDir));
  await put(store);
}

async function lastOf(channel: Channel, pullId: string): Promise<PullEvent | undefined> {
  let last: PullEvent | undefined;
  for await (const { event } of channel.stream(ImageService.method.watchPull, { pullId }, signal))
    last = event;
  return last;
}

test("a detached pull that was cut off waits, says for what, and can be cancelled", async () => {
  await using place = await makeTempDir("banger-embed-");
  const paths = pathsIn(place.path);
  const request = { json: "{}", hadCredentials: false };
  const cut = pullRecord({ id: "p0123456789abcdef", detached: true });
  await leave(paths, (store) => store.insertPull(cut, request));
  {
    await using _daemon = await startEmbedded(paths, terminal);
    using channel = openChannel(paths.socketPath);
    const { pulls } = await channel.unary(ImageService.method.listPulls, { activeOnly: true }, signal);
    assert.deepEqual(
      pulls.map(({ id, state }) => [id, state]),
      [[cut.id, PullState.WAITING]],
    );
    await assert.rejects(
      lastOf(channel, "p0123"),
      (error) =>
        hasReason(error, "SHUTTING_DOWN") &&
        error.message.includes("goes on once `bangerd` runs") &&
        error.hint.includes(`banger pull cancel ${cut.id}`),
    );
    const { pull } = await channel.unary(ImageService.method.cancelPull, { pullId: cut.id }, signal);
    assert.equal(pull?.state, PullState.CANCELLED);
    assert.ok(pull.endTime !== undefined);
  }
  await using store = await openStore(databasePath(paths.stateDir));
  assert.deepEqual((await store.endInterruptedPulls()).resumable, []);
  assert.equal((await store.findPull(cut.id)).failureReason, "CANCELLED");
});

test("what became of pulls of an earlier daemon is told to who watches or cancels them", async () => {
  await using place = await makeTempDir("banger-embed-");
  const paths = pathsIn(place.path);
  const image = imageRecord({ name: "" });
  const ended = { endedAt: Date.now() };
  const failure = { failureReason: "DISK_FULL", failureMessage: "no space left for the layers" };
  const failed = pullRecord({ ...ended, ...failure, state: "failed" });
  const unknown = pullRecord({ ...ended, ...failure, failureReason: "OF_A_LATER_VERSION", state: "failed" });
  const cancelled = pullRecord({ ...ended, state: "cancelled", failureReason: "CANCELLED" });
  const published = pullRecord({ ...ended, state: "published", imageId: image.id });
  const deleted = pullRecord({ ...ended, state: "published", imageId: "0".repeat(24) });
  await leave(paths, async (store) => {
    for (const record of [failed, unknown, cancelled, published, deleted]) await store.insertPull(record);
  });
  await using _daemon = await startEmbedded(paths, terminal);
  await leave(paths, (store) => store.insertImage(image));
  using channel = openChannel(paths.socketPath);
  await assert.rejects(
    lastOf(channel, failed.id),
    (error) => hasReason(error, "DISK_FULL") && error.message === failure.failureMessage && error.hint !== "",
  );
  await assert.rejects(lastOf(channel, unknown.id), (error) => hasReason(error, "INTERNAL"));
  await assert.rejects(lastOf(channel, cancelled.id), (error) => hasReason(error, "CANCELLED"));
  await assert.rejects(
    lastOf(channel, deleted.id),
    (error) => hasReason(error, "IMAGE_UNKNOWN") && error.message.includes("deleted since"),
  );
  const last = await lastOf(channel, published.id);
  assert.equal(last?.pullId, published.id);
  assert.equal(last.event.case === "published" && last.event.value.image?.id, image.id);
  for (const { id, state } of [failed, published]) {
    const { pull } = await channel.unary(ImageService.method.cancelPull, { pullId: id }, signal);
    assert.equal(pull?.state, state === "failed" ? PullState.FAILED : PullState.PUBLISHED);
  }
  await assert.rejects(lastOf(channel, "pffff"), (error) => hasReason(error, "PULL_UNKNOWN"));
});

test("what a start had to remove, forget or fail is said on stderr, once, and never where programs read", async () => {
  await using place = await makeTempDir("banger-embed-");
  const { path: folder } = place;
  const paths = pathsIn(folder);
  const env = { XDG_STATE_HOME: folder, XDG_CACHE_HOME: folder, XDG_RUNTIME_DIR: folder, HOME: folder };
  const spoil = async (): Promise<{ image: string; pull: string }> => {
    const [image, cut] = [imageRecord({ name: "" }), pullRecord()];
    await leave(paths, async (store) => {
      await store.insertImage(image);
      await store.insertPull(cut);
    });
    await mkdir(join(paths.stateDir, "images", "lost+found"), { recursive: true });
    await writeFile(join(paths.stateDir, "images", markerName), "");
    return { image: image.id, pull: cut.id };
  };
  const { image, pull } = await spoil();
  const first = await banger(["image", "ls", "--json"], env);
  assert.deepEqual([first.code, JSON.parse(first.stdout)], [0, { images: [] }]);
  assert.equal(
    first.stderr,
    `! forgot images whose files are gone: ${image}\n! failed pulls that were cut off: ${pull}\n`,
  );
  const second = await banger(["image", "ls", "--json"], env);
  assert.equal(second.stderr, "", "what is not ours is nothing that was put right");
  const { pull: other } = await spoil();
  const watched = await banger(["pull", "watch", other, "--progress", "json"], env);
  assert.match(watched.stderr, /^\{"error":.*\}\n$/);
});
