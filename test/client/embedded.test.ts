import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ImageService, ListPullsResponseSchema } from "../../gen/banger/image/v1/image_service_pb.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { openChannel } from "../../src/client/channel.ts";
import { connectDaemon } from "../../src/client/connect.ts";
import { startEmbedded } from "../../src/client/embedded.ts";
import type { Terminal } from "../../src/client/terminal.ts";
import { waitNotice } from "../../src/client/wait-notice.ts";
import { resolvePaths, type DaemonPaths } from "../../src/service/paths.ts";
import { unary } from "../../src/service/routes.ts";
import { scriptedServer } from "./scripted-server.ts";

const terminal: Terminal = { stdout: new PassThrough(), stderr: new PassThrough(), env: {}, folder: "/" };
const { signal } = new AbortController();
const notice = waitNotice(() => {});

function pathsIn(folder: string): DaemonPaths {
  const env = { XDG_STATE_HOME: folder, XDG_CACHE_HOME: folder, XDG_RUNTIME_DIR: folder };
  return resolvePaths({ cacheDir: join(folder, "cache") }, { env, home: folder, folder });
}

test("a daemon started for a call is there during it, and gone after", async () => {
  await using place = await makeTempDir("banger-embed-");
  const paths = pathsIn(place.path);
  {
    await using connection = await connectDaemon({ paths, embed: true, terminal, notice, signal });
    const { images } = await connection.rpc.unary(ImageService.method.listImages, {}, signal);
    assert.deepEqual(images, []);
    assert.ok(existsSync(paths.socketPath));
    // A second client finds it, and does not stop it when it goes.
    await using second = await connectDaemon({ paths, embed: "", terminal, notice, signal });
    await second.rpc.unary(ImageService.method.listImages, {}, signal);
  }
  assert.ok(!existsSync(paths.socketPath));
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
  await assert.rejects(connectDaemon({ paths, embed: true, terminal, notice, signal }), (error) => {
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
  const connecting = connectDaemon({ paths, embed: true, terminal, notice, signal: controller.signal });
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
