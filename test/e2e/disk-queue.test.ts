import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { makeDaemonHome, runCli, startDaemonProcess } from "../system/daemon-process.ts";
import { withDisk } from "../system/namespace.ts";
import { followPull } from "../system/pull-events.ts";
import { tarOf } from "../system/tar-of.ts";

const images: FakeImage[] = [];
before(async () => {
  for (let at = 0; at < 3; at++) {
    images.push(
      buildImage({ layers: [await tarOf((put) => put({ name: "noise" }, noise(32 << 20, at + 1)))] }),
    );
  }
});

test("images that fit one after the other, and not at once, wait for each other's room", async () => {
  await using registry = await FakeRegistry.start();
  for (const [at, image] of images.entries()) registry.add("app", String(at), image);
  await using home = await makeDaemonHome();
  // Each stages 32 MiB in the temporary folder, for as long as it builds.
  await using daemon = await startDaemonProcess({ home, wrapper: withDisk(home.temp, 50) });
  const pulls = await Promise.all(
    images.map((_image, at) =>
      followPull(home, [`${registry.host}/app:${at}`, "--no-agents", "--builder", "e2fsprogs"]),
    ),
  );
  for (const { status, events } of pulls) assert.equal(status, 0, JSON.stringify(events.at(-1)));
  const why = pulls.flatMap(({ events }) => events.filter(({ kind }) => kind === "waiting"));
  assert.ok(
    why.some(({ body }) => /promised to other images, and 32 MiB are needed/.test(String(body["why"]))),
    JSON.stringify(why),
  );
  const { stdout } = await runCli(daemon, "image", "ls", "--json");
  assert.equal(JSON.parse(stdout).images.length, 3);
});

test("one that would not fit alone is refused, and before it is downloaded where that is known", async () => {
  await using registry = await FakeRegistry.start();
  const [image] = images;
  assert.ok(image !== undefined);
  registry.add("app", "1", image);
  await using home = await makeDaemonHome();
  await using _daemon = await startDaemonProcess({ home, wrapper: withDisk(home.cache, 20) });
  const { status, events } = await followPull(home, [`${registry.host}/app:1`, "--no-agents"]);
  assert.equal(status, 1);
  assert.match(JSON.stringify(events.at(-1)), /DISK_FULL.*33 MiB are needed/);
  assert.ok(!events.some(({ kind }) => kind === "layerProgress" || kind === "layerFetched"));
});

/** Writes until there is not a byte left. */
function fillUp(path: string): void {
  const file = openSync(path, "w");
  try {
    for (let bytes = 1 << 20; bytes > 0;) {
      try {
        if (writeSync(file, Buffer.alloc(bytes)) === 0) break;
      } catch {
        bytes >>= 1;
      }
    }
  } finally {
    closeSync(file);
  }
}

test("on a disk without a byte left, an image can be deleted, and then another be pulled", async () => {
  await using registry = await FakeRegistry.start();
  for (const [at, image] of images.entries()) registry.add("app", String(at), image);
  await using home = await makeDaemonHome();
  await using daemon = await startDaemonProcess({ home, wrapper: withDisk(home.state, 100) });
  const first = await runCli(
    daemon,
    "image",
    "pull",
    `${registry.host}/app:0`,
    "--no-agents",
    "--name",
    "first",
  );
  assert.equal(first.status, 0, first.stderr);
  const filler = `/proc/${daemon.child.pid}/root${join(home.state, "filler")}`;
  fillUp(filler);
  const second = ["image", "pull", `${registry.host}/app:1`, "--no-agents", "--name", "second"];
  const refused = await runCli(daemon, ...second);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /no space left|are needed/);
  const removed = await runCli(daemon, "image", "rm", "first");
  assert.equal(removed.status, 0, removed.stderr);
  assert.match(removed.stderr, /first is deleted: 3\d\.\d MiB freed/);
  const list = await runCli(daemon, "image", "ls", "--json", "--all");
  assert.deepEqual(JSON.parse(list.stdout), { images: [] });
  rmSync(filler);
  const again = await runCli(daemon, ...second);
  assert.equal(again.status, 0, again.stderr);
});

/** Runs the daemon, fills the disk once it has ended, and runs it again, so many times. */
const fullBetween = (folder: string, times = 1): readonly string[] => {
  const [mount = "", ...rest] = withDisk(folder, 100).toReversed();
  assert.equal(mount, "sh");
  const runs = Array.from(
    { length: times },
    (_, at) => `"$@" || true; cat /dev/zero >'${folder}/filler${at}' 2>/dev/null || true`,
  );
  const script = `mkdir '${folder}/tmp'; ${runs.join("; ")}`;
  return rest
    .toReversed()
    .map((word) => word.replace('exec "$@"', `${script}; exec "$@"`))
    .concat(mount);
};

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`after ${signal}, a daemon starts on a disk without a byte left, deletes an image, and pulls the next`, async () => {
    await using registry = await FakeRegistry.start();
    for (const [at, image] of images.entries()) registry.add("app", String(at), image);
    await using own = await makeDaemonHome();
    // All on the one disk.
    const home = { ...own, cache: join(own.state, "cache"), temp: join(own.state, "tmp") };
    await using daemon = await startDaemonProcess({ home, wrapper: fullBetween(home.state) });
    const pull = (at: number, name: string) =>
      runCli(daemon, "image", "pull", `${registry.host}/app:${at}`, "--no-agents", "--name", name);
    const first = await pull(0, "first");
    assert.equal(first.status, 0, first.stderr);
    const inside = `/proc/${daemon.child.pid}/root${home.state}`;
    const { pid } = JSON.parse(readFileSync(join(inside, "daemon.json"), "utf8"));
    assert.ok(existsSync(join(inside, "daemon.ballast")));
    process.kill(pid, signal);
    const serving = () => daemon.log().match(/ serving /g)?.length ?? 0;
    while (serving() < 2) await once(daemon.child.stderr ?? assert.fail(), "data");
    // The store's log that a killed daemon leaves has the room already.
    if (signal === "SIGTERM")
      assert.match(daemon.log(), /warn the disk is full: starting with the room that was kept for that/);

    const list = await runCli(daemon, "image", "ls", "--json");
    assert.deepEqual(
      JSON.parse(list.stdout).images.map(({ name }: { name: string }) => name),
      ["first"],
    );
    const removed = await runCli(daemon, "image", "rm", "first");
    assert.equal(removed.status, 0, removed.stderr);
    assert.ok(existsSync(join(inside, "daemon.ballast")), "kept again for the next time");
    rmSync(join(inside, "filler0"));
    const again = await pull(1, "second");
    assert.equal(again.status, 0, again.stderr);
  });
}

test("what a tiny image leaves is room enough to start again when the disk is full once more", async () => {
  await using registry = await FakeRegistry.start();
  const names = ["first", "second", "third"];
  for (const [at, name] of names.entries()) {
    const layer = await tarOf((put) => put({ name: "noise" }, noise(900 << 10, at + 1)));
    registry.add("tiny", name, buildImage({ layers: [layer] }));
  }
  await using own = await makeDaemonHome();
  const home = { ...own, cache: join(own.state, "cache"), temp: join(own.state, "tmp") };
  await using daemon = await startDaemonProcess({ home, wrapper: fullBetween(home.state, 2) });
  for (const name of names) {
    const pull = await runCli(
      daemon,
      "image",
      "pull",
      `${registry.host}/tiny:${name}`,
      "--no-agents",
      "--name",
      name,
    );
    assert.equal(pull.status, 0, pull.stderr);
  }
  const inside = `/proc/${daemon.child.pid}/root${home.state}`;
  const serving = () => daemon.log().match(/ serving /g)?.length ?? 0;
  for (const [starts, name] of names.slice(0, 2).entries()) {
    const { pid }: { pid: number } = JSON.parse(readFileSync(join(inside, "daemon.json"), "utf8"));
    process.kill(pid, "SIGTERM");
    while (serving() < starts + 2) {
      await once(daemon.child.stderr ?? assert.fail(), "data");
      assert.ok(!/^bangerd: /m.test(daemon.log()), daemon.log());
    }
    const removed = await runCli(daemon, "image", "rm", name);
    assert.equal(removed.status, 0, removed.stderr);
  }
});
