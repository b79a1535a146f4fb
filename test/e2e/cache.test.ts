import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { CacheService } from "../../gen/banger/image/v1/cache_service_pb.ts";
import { openChannel } from "../../src/client/channel.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import {
  makeDaemonHome,
  runCli,
  startDaemonProcess,
  type DaemonHome,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { writeLayout } from "../system/debian-image.ts";
import { followPull } from "../system/pull-events.ts";
import { tarOf } from "../system/tar-of.ts";

let home: DaemonHome;
let daemon: DaemonProcess;

before(async () => {
  home = await makeDaemonHome();
  daemon = await startDaemonProcess({ home });
  for (const name of ["kept", "deleted"]) {
    const layout = join(home.folder, name);
    writeLayout(layout, [
      await tarOf((put) => put({ name: "etc/motd", mode: 0o644 }, randomBytes(20_000).toString("hex"))),
    ]);
    const pulled = await runCli(
      daemon,
      "image",
      "pull",
      `oci:${layout}:latest`,
      "--no-agents",
      "--name",
      name,
    );
    assert.equal(pulled.status, 0, pulled.stderr);
  }
  assert.equal((await runCli(daemon, "image", "rm", "deleted")).status, 0);
  writeFileSync(join(home.cache, "oci", "ingest", `sha256-${"0".repeat(64)}`), "broken off");
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const files = (kind: string): readonly string[] => {
  const folder = join(home.cache, "oci", kind);
  return (kind === "ingest" ? [""] : ["sha256"]).flatMap((algorithm) =>
    existsSync(join(folder, algorithm)) ? readdirSync(join(folder, algorithm)) : [],
  );
};

interface Usage {
  readonly kind: string;
  readonly fileCount: string;
  readonly unusedBytes?: string;
}

async function usage(): Promise<readonly Usage[]> {
  const said = await runCli(daemon, "cache", "usage", "--json");
  assert.equal(said.status, 0, said.stderr);
  const { usages }: { usages: readonly Usage[] } = JSON.parse(said.stdout);
  return usages;
}

test("usage tells what no image refers to", async () => {
  const seen = (await usage()).map(
    ({ kind, fileCount, unusedBytes = "0" }) => `${kind} ${fileCount} ${Number(unusedBytes) > 0}`,
  );
  assert.deepEqual(seen, ["blobs 2 true", "indexes 2 true", "ingest 1 true"]);
  const table = await runCli(daemon, "cache", "usage");
  assert.match(table.stdout, /KIND +FILES +SIZE +UNUSED\nblobs +2 /);
});

test("prune takes by age, then what nobody needs, then all; a dry run nothing", async () => {
  const prune = async (...flags: readonly string[]): Promise<string> => {
    const said = await runCli(daemon, "cache", "prune", ...flags);
    assert.equal(said.status, 0, said.stderr);
    return said.stdout;
  };
  assert.match(await prune("--dry-run"), /^would delete 3 files/);
  assert.match(await prune("--unused-for", "1d"), /^deleted 0 files/);
  assert.deepEqual([files("blobs").length, files("indexes").length, files("ingest").length], [2, 2, 1]);
  assert.match(await prune(), /^deleted 3 files/);
  assert.deepEqual([files("blobs").length, files("indexes").length, files("ingest").length], [1, 1, 0]);
  assert.match(await prune("--keep", "1G", "--all"), /^deleted 0 files/);
  assert.match(await prune("--all"), /^deleted 2 files/);
  assert.deepEqual([files("blobs").length, files("indexes").length, files("trash").length], [0, 0, 0]);
  // The image needs none of it.
  assert.equal((await runCli(daemon, "image", "verify", "kept", "--full")).status, 0);
});

test("pruned to nothing again and again while a pull is under way, the pull finds all that it needs", async () => {
  await using registry = await FakeRegistry.start();
  const layers = await Promise.all(
    [1, 2, 3].map((at) => tarOf((put) => put({ name: `file${at}` }, noise(2 << 20, at)))),
  );
  registry.add("app", "1", buildImage({ layers }));
  registry.fault({ path: /blobs/, method: "GET" }, { drip: { bytes: 64 * 1024, everyMs: 20 } });
  let pruned = 0;
  const over = new AbortController();
  const pruning = async (): Promise<void> => {
    using channel = openChannel(home.socket);
    while (!over.signal.aborted) {
      await channel.unary(CacheService.method.pruneCache, { all: true }, new AbortController().signal);
      pruned++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const pulling = followPull(home, [`${registry.host}/app:1`, "--no-agents", "--name", "pruned"]);
  const [pulled] = await Promise.all([pulling.finally(() => over.abort()), pruning()]);
  assert.equal(pulled.status, 0, JSON.stringify(pulled.events.at(-1)));
  assert.ok(pruned > 5, `pruned ${pruned} times`);
  const [, ...blobs] = registry.requests.filter(({ path }) => path.includes("/blobs/"));
  assert.equal(blobs.length, 3, "each layer was fetched once");
});

test("above the high-water mark the daemon prunes by itself after a pull", async () => {
  await daemon.stop();
  writeFileSync(join(home.folder, "config.toml"), '[cache]\nhigh_water = "1KiB"\nlow_water = "1KiB"\n');
  daemon = await startDaemonProcess({ home, env: { BANGER_CONFIG: join(home.folder, "config.toml") } });
  const pulled = await runCli(
    daemon,
    "image",
    "pull",
    `oci:${join(home.folder, "deleted")}:latest`,
    "--no-agents",
    "--name",
    "again",
  );
  assert.equal(pulled.status, 0, pulled.stderr);
  // Below the low mark it stops: an index that is smaller may be left.
  for (let turns = 0; files("blobs").length > 0; turns++) {
    assert.ok(turns < 200, daemon.log());
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.match(daemon.log(), /published.*\n.*pruned cache why="high-water mark"/);
});

test("a download that nobody resumed for a week goes at the start", async () => {
  await daemon.stop();
  const stale = join(home.cache, "oci", "ingest", `sha256-${"1".repeat(64)}`);
  writeFileSync(stale, "broken off");
  const then = new Date(Date.now() - 8 * 24 * 60 * 60_000);
  utimesSync(stale, then, then);
  daemon = await startDaemonProcess({ home });
  for (let turns = 0; existsSync(stale); turns++) {
    assert.ok(turns < 200, daemon.log());
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
});
