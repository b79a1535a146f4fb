import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fromJson, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { Builder } from "../../gen/banger/image/v1/image_pb.ts";
import {
  ImageOrder,
  ImageService,
  ListImagesRequestSchema,
} from "../../gen/banger/image/v1/image_service_pb.ts";
import { PullState } from "../../gen/banger/image/v1/pull_pb.ts";
import { BangerError, hasReason, type Reason } from "../../src/base/error.ts";
import { openChannel, type Channel } from "../../src/client/channel.ts";
import { imagePaths, markerName, newImageId } from "../../src/images/layout.ts";
import type { PullEventBody } from "../../src/pull/events.ts";
import { loadConfig, type DaemonConfig } from "../../src/service/config.ts";
import { startDaemon, type Daemon } from "../../src/service/daemon.ts";
import type { Method } from "../../src/service/definition.ts";
import { lineLog, silentLog } from "../../src/service/log.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { digestFor, imageRecord, pullRecord } from "../store/records.ts";
import { ScriptedPulls } from "./scripted-pulls.ts";

const root = join(import.meta.dirname, "../..");
const { method } = ImageService;

/** A daemon on folders of its own that pulls by a script, and a client of it. */
class TestDaemon implements AsyncDisposable {
  readonly pulls = new ScriptedPulls();
  readonly lines: string[] = [];
  readonly folder: string;
  readonly config: DaemonConfig;
  #daemon: Daemon | undefined;
  #store: Store | undefined;
  #channel: Channel | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.config = loadConfig({
      stateDir: join(folder, "state"),
      cacheDir: join(folder, "cache"),
      socketPath: join(folder, "s.sock"),
      configPath: join(folder, "config.toml"),
      configNamed: false,
      certsDirs: [],
      socketNamed: true,
    });
  }

  static async make(): Promise<TestDaemon> {
    return new TestDaemon(await mkdtemp(join(tmpdir(), "banger-daemon-")));
  }

  static async start(): Promise<TestDaemon> {
    const made = await TestDaemon.make();
    await made.start();
    return made;
  }

  async start(): Promise<Daemon> {
    const log = lineLog((line) => this.lines.push(line));
    const daemon = await startDaemon(this.config, {
      log,
      openPulls: async (_config, store) => {
        this.#store = store;
        return this.pulls;
      },
    });
    this.#daemon = daemon;
    this.#channel?.[Symbol.dispose]();
    this.#channel = openChannel(this.config.paths.socketPath);
    return daemon;
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
  }

  get store(): Store {
    return this.#store ?? assert.fail("not started");
  }

  get channel(): Channel {
    return this.#channel ?? assert.fail("not started");
  }

  get stateDir(): string {
    return this.config.paths.stateDir;
  }

  call<I extends DescMessage, O extends DescMessage>(
    of: Method<"unary", I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return this.channel.unary(of, request, new AbortController().signal);
  }

  /** Puts an image there as a pull would. */
  async addImage(...changes: Parameters<typeof imageRecord>): Promise<ReturnType<typeof imageRecord>> {
    const record = imageRecord(...changes);
    const { dir, rootfs } = imagePaths(this.stateDir, record.id);
    await mkdir(dir);
    await writeFile(rootfs, Buffer.alloc(100_000, 1));
    await this.store.insertImage(record);
    return record;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel?.[Symbol.dispose]();
    await this.#daemon?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const failing = (reason: Reason) => (error: unknown) => hasReason(error, reason);

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

const resolved: PullEventBody = {
  kind: "resolved",
  reference: "docker.io/library/debian:12",
  manifestDigest: digestFor("m"),
  indexDigest: undefined,
  platform: { os: "linux", architecture: "amd64" },
  name: "debian-12",
  layers: [{ digest: digestFor("l"), diffId: digestFor("d"), mediaType: "t", sizeBytes: 5 }],
  bytesToFetch: 5,
};

/** One of each kind, so that a forgotten field shows. */
const allBodies: readonly PullEventBody[] = [
  { kind: "waiting", position: 2, why: "busy" },
  resolved,
  { kind: "kernelResolved", skipped: true, name: "k", version: "6", warnings: [] },
  { kind: "layerProgress", digest: digestFor("l"), index: 1, phase: "scanning", doneBytes: 2, totalBytes: 3 },
  { kind: "retrying", subject: "layer", attempt: 2, delayMs: 1500.4, why: "503" },
  {
    kind: "layerFetched",
    digest: digestFor("l"),
    index: 1,
    sizeBytes: 3,
    cached: true,
    durationMs: 0.7,
    source: "h",
  },
  {
    kind: "layerScanned",
    digest: digestFor("l"),
    diffId: digestFor("d"),
    index: 1,
    entryCount: 4,
    inflatedBytes: 5,
    cached: true,
    durationMs: 6,
  },
  { kind: "flattened", inodeCount: 1, contentBytes: 2, hiddenEntryCount: 3, lossCount: 4, durationMs: 5 },
  { kind: "stageProgress", done: 1, total: 2, unit: "bytes" },
  { kind: "ext4Built", builder: "direct", sizeBytes: 1, contentBytesWritten: 2, durationMs: 3 },
  { kind: "ownershipApplied", inodeCount: 1, changeCount: 2, deviceCount: 3, xattrCount: 4, durationMs: 5 },
  { kind: "agentsInjected", skipped: true, whySkipped: "asked", files: [], scrubbedPaths: [], durationMs: 1 },
  {
    kind: "verified",
    depth: "full",
    inodeCount: 1,
    contentBytesHashed: 2,
    rootfsDigest: undefined,
    fsckSkipped: false,
    durationMs: 3,
  },
  { kind: "bootArtifactsStaged", boot: imageRecord().boot, imageId: "i", durationMs: 1 },
  {
    kind: "published",
    image: imageRecord(),
    stageTimes: [{ stage: "fetch", durationMs: 7 }],
    alreadyPresent: true,
  },
];

describe("pulling", () => {
  test("every kind of event arrives with its fields, in order, and the request as it was parsed", async () => {
    await using daemon = await TestDaemon.start();
    daemon.pulls.script = { bodies: allBodies };
    const options = { name: "deb", builder: Builder.E2FSPROGS, noAgents: true };
    const seen = [];
    const signal = new AbortController().signal;
    for await (const { event } of daemon.channel.stream(
      method.pullImage,
      { reference: "debian:12", options },
      signal,
    )) {
      assert.ok(event);
      seen.push(event);
    }
    assert.deepEqual(
      seen.map(({ event }) => event.case),
      allBodies.map(({ kind }) => kind),
    );
    assert.deepEqual(
      seen.map(({ sequence }) => Number(sequence)),
      allBodies.map((_, at) => at + 1),
    );
    const text = JSON.stringify(seen, (_, value: unknown) =>
      typeof value === "bigint" ? Number(value) : value,
    );
    for (const part of ['"whySkipped":"asked"', '"hiddenEntryCount":3', '"xattrCount":4', '"source":"h"']) {
      assert.ok(text.includes(part), part);
    }
    const retry = seen[4]?.event;
    assert.ok(retry?.case === "retrying");
    assert.deepEqual([retry.value.delay?.seconds, retry.value.delay?.nanos], [1n, 500_000_000]);
    const last = seen.at(-1)?.event;
    assert.ok(last?.case === "published");
    assert.equal(last.value.image?.rootfsPath.startsWith(daemon.stateDir), true);
    assert.equal(last.value.losses.length, 1);
    assert.equal(last.value.image?.layers.length, 2);
    assert.equal(daemon.pulls.requests[0]?.name, "deb");
    assert.equal(daemon.pulls.requests[0]?.builder, "e2fsprogs");
    await eventually(() => daemon.pulls.left === 1);
  });

  test("its error is the stream's end", async () => {
    await using daemon = await TestDaemon.start();
    const end = new BangerError("RATE_LIMITED", "slow down", { op: "fetch layer", retryAfterMs: 7000 });
    daemon.pulls.script = { bodies: [resolved], end };
    let events = 0;
    const signal = new AbortController().signal;
    const stream = daemon.channel.stream(method.pullImage, { reference: "debian" }, signal);
    await assert.rejects(
      async () => {
        for await (const message of stream) events += message.event === undefined ? 0 : 1;
      },
      (error) =>
        hasReason(error, "RATE_LIMITED") && error.retryAfterMs === 7000 && error.op === "fetch layer",
    );
    assert.equal(events, 1);
  });

  test("a wrong request starts nothing and names its fields", async () => {
    await using daemon = await TestDaemon.start();
    const signal = new AbortController().signal;
    const options = { name: "Bad Name", sizeBytes: -5n };
    const stream = daemon.channel.stream(method.pullImage, { reference: "debian", options }, signal);
    await assert.rejects(
      stream[Symbol.asyncIterator]().next(),
      (error) =>
        hasReason(error, "NAME_INVALID") &&
        error.fields.map(({ field }) => field).join() === "name,size_bytes",
    );
    assert.deepEqual(daemon.pulls.requests, []);
  });

  test("a client that leaves is no watcher any more, even while nothing happens", async () => {
    await using daemon = await TestDaemon.start();
    daemon.pulls.script = { bodies: [resolved], end: "forever" };
    for (const start of [
      (signal: AbortSignal) => daemon.channel.stream(method.pullImage, { reference: "debian" }, signal),
      (signal: AbortSignal) => daemon.channel.stream(method.watchPull, { pullId: "p1" }, signal),
    ]) {
      const before = daemon.pulls.left;
      const leave = new AbortController();
      const stream = start(leave.signal)[Symbol.asyncIterator]();
      await stream.next();
      assert.equal(daemon.pulls.watching, 1);
      const next = stream.next();
      leave.abort(new BangerError("CANCELLED", "Ctrl-C", { op: "test" }));
      await assert.rejects(next, failing("CANCELLED"));
      await eventually(() => daemon.pulls.left === before + 1);
      assert.equal(daemon.pulls.watching, 0);
    }
  });

  test("pulls are found, listed, cancelled and resolved", async () => {
    await using daemon = await TestDaemon.start();
    const records = Array.from({ length: 5 }, (_, at) =>
      pullRecord({
        id: `p${at}`,
        startedAt: at,
        state: at % 2 === 0 ? "running" : "failed",
        failureReason: "X",
      }),
    );
    for (const record of records) await daemon.store.insertPull(record);
    const first = await daemon.call(method.listPulls, { pageSize: 2, activeOnly: true });
    assert.deepEqual(
      first.pulls.map(({ id }) => id),
      ["p4", "p2"],
    );
    const second = await daemon.call(method.listPulls, {
      pageSize: 2,
      activeOnly: true,
      pageToken: first.nextPageToken,
    });
    assert.deepEqual(
      second.pulls.map(({ id }) => id),
      ["p0"],
    );
    const { pull } = await daemon.call(method.getPull, { pullId: "p1" });
    assert.equal(pull?.state, PullState.FAILED);
    assert.equal(pull?.failureReason, "X");
    assert.equal((await daemon.call(method.cancelPull, { pullId: "p4" })).pull?.state, PullState.CANCELLED);
    const long = pullRecord({ id: "p0123456789abcdef" });
    await daemon.store.insertPull(long);
    await daemon.call(method.cancelPull, { pullId: "p0123" });
    assert.equal((await daemon.call(method.getPull, { pullId: "p01234" })).pull?.id, long.id);
    assert.deepEqual(daemon.pulls.cancelled, ["p4", long.id]);
    await assert.rejects(daemon.call(method.getPull, { pullId: "no" }), failing("PULL_UNKNOWN"));
    await assert.rejects(daemon.call(method.getPull, {}), failing("OPTION_INVALID"));
    await assert.rejects(daemon.call(method.listPulls, { pageSize: -1 }), failing("OPTION_INVALID"));
    await assert.rejects(
      daemon.call(method.resolveImage, { reference: "debian" }),
      failing("MANIFEST_UNKNOWN"),
    );
  });
});

describe("images", () => {
  test("are got, listed, renamed and deleted", async () => {
    await using daemon = await TestDaemon.start();
    const a = await daemon.addImage({ name: "a", createdAt: 1 });
    const b = await daemon.addImage({ name: "b", createdAt: 2 });
    const { image } = await daemon.call(method.getImage, { image: "a" });
    assert.equal(image?.id, a.id);
    assert.ok(existsSync(image?.rootfsPath ?? ""));
    assert.equal(image?.stageTimes.length, 2);
    assert.equal(image?.losses[0]?.path, "/etc/a\\xff");

    const newest = await daemon.call(method.listImages, { order: ImageOrder.NEWEST_FIRST, pageSize: 1 });
    assert.deepEqual(
      newest.images.map(({ id }) => id),
      [b.id],
    );
    assert.equal(newest.images[0]?.layers.length, 0);
    const { nextPageToken: pageToken } = newest;
    const rest = await daemon.call(method.listImages, {
      order: ImageOrder.NEWEST_FIRST,
      pageSize: 1,
      pageToken,
    });
    assert.deepEqual(
      rest.images.map(({ id }) => id),
      [a.id],
    );
    await assert.rejects(daemon.call(method.listImages, { pageToken }), failing("OPTION_INVALID"));
    await assert.rejects(
      daemon.call(method.listImages, fromJson(ListImagesRequestSchema, { order: 99 })),
      failing("OPTION_INVALID"),
    );

    assert.equal((await daemon.call(method.renameImage, { image: "a", newName: "c" })).image?.name, "c");
    await assert.rejects(
      daemon.call(method.renameImage, { image: "c", newName: "b" }),
      failing("NAME_TAKEN"),
    );
    await assert.rejects(
      daemon.call(method.renameImage, { image: "c", newName: "../x" }),
      (error) => hasReason(error, "NAME_INVALID") && error.fields[0]?.field === "new_name",
    );

    const deleted = await daemon.call(method.deleteImage, { image: "c" });
    assert.equal(deleted.id, a.id);
    assert.ok(deleted.freedBytes >= 100_000n);
    assert.deepEqual((await readdir(join(daemon.stateDir, "images"))).sort(), [markerName, b.id]);
    await assert.rejects(daemon.call(method.deleteImage, { image: "c" }), failing("IMAGE_UNKNOWN"));
    await assert.rejects(daemon.call(method.deleteImage, {}), failing("OPTION_INVALID"));
  });

  test("very many losses don't make a message that no client takes", async () => {
    await using daemon = await TestDaemon.start();
    const [loss] = imageRecord().losses;
    assert.ok(loss);
    const losses = Array.from({ length: 5000 }, () => ({ ...loss, path: "/x".repeat(2000) }));
    await daemon.addImage({ name: "lossy", losses });
    const { image } = await daemon.call(method.getImage, { image: "lossy" });
    const shown = image?.losses ?? [];
    assert.equal(shown.at(-1)?.kind, "MORE");
    assert.match(shown.at(-1)?.detail ?? "", new RegExp(`^${5000 - shown.length + 1} more`));
  });
});

describe("the daemon", () => {
  test("says how it is", async () => {
    await using daemon = await TestDaemon.start();
    await daemon.addImage();
    const status = await daemon.call(DaemonService.method.getDaemonStatus, {});
    assert.equal(status.pid, process.pid);
    assert.equal(status.nodeVersion, process.versions.node);
    assert.match(status.version, /^\d+\.\d+\.\d+/);
    assert.equal(status.stateDir, daemon.stateDir);
    assert.equal(status.imageCount, 1n);
    assert.equal(status.activePullCount, 2n);
    assert.equal(status.waitingPullCount, 1n);
    const checks = new Map(status.checks.map((check) => [check.name, check]));
    for (const name of ["node", "mkfs.ext4", "debugfs", "e2fsck", "state folder", "cache space"]) {
      assert.equal(checks.get(name)?.ok, true, name);
    }
    assert.match(checks.get("mkfs.ext4")?.detail ?? "", /^mke2fs 1\./);
  });

  test("says what is wrong, and what to do about it", async () => {
    await using daemon = await TestDaemon.start();
    await chmod(daemon.config.paths.cacheDir, 0o777);
    const { checks } = await daemon.call(DaemonService.method.getDaemonStatus, {});
    // The guest's programs need not be built where this runs.
    const broken = checks.filter(({ name, ok }) => !ok && name !== "guest assets");
    assert.deepEqual(
      broken.map(({ name }) => name),
      ["cache folder"],
    );
    assert.match(broken[0]?.remedy ?? "", /chmod go-w/);
  });

  test("a stop with open streams tells them why, gives all back, and can be followed by a start", async () => {
    await using daemon = await TestDaemon.start();
    daemon.pulls.script = { bodies: [resolved], end: "forever" };
    const signal = new AbortController().signal;
    const events = daemon.channel.stream(method.pullImage, { reference: "debian" }, signal);
    const stream = events[Symbol.asyncIterator]();
    await stream.next();
    const next = stream.next();
    const running = await daemon.start().catch((error: unknown) => error);
    assert.ok(hasReason(running, "STATE_LOCKED"));
    await Promise.all([assert.rejects(next, failing("SHUTTING_DOWN")), daemon.stop()]);
    assert.ok(daemon.pulls.stopped);
    const { socketPath, stateDir } = daemon.config.paths;
    assert.ok(!existsSync(socketPath));
    assert.deepEqual((await readdir(stateDir)).sort(), [
      "banger.db",
      "daemon.ballast",
      "daemon.lock",
      "images",
      "kernels",
    ]);
    await daemon.start();
    assert.equal((await daemon.call(method.listImages, {})).images.length, 0);
  });

  test("a stop waits for its pulls once: those that don't end in the time it gives them hold up nothing after", async () => {
    await using daemon = await TestDaemon.start();
    const { pulls } = daemon;
    let stops = 0;
    pulls.stop = () => {
      stops++;
      return ScriptedPulls.prototype.stop.call(pulls);
    };
    await daemon.stop();
    assert.equal(stops, 1);
  });

  test("a start that fails gives everything back", async () => {
    await using daemon = await TestDaemon.make();
    const { socketPath } = daemon.config.paths;
    await writeFile(socketPath, "in the way");
    await assert.rejects(daemon.start(), failing("SOCKET_INVALID"));
    await rm(socketPath);
    const openPulls = () => Promise.reject(new BangerError("DISK_FULL", "full", { op: "open cache" }));
    await assert.rejects(startDaemon(daemon.config, { log: silentLog, openPulls }), failing("DISK_FULL"));
    // So late that it had begun to serve.
    const pulls = new ScriptedPulls();
    pulls.resume = () => Promise.reject(new BangerError("STORE_FAILED", "no", { op: "resume" }));
    const late = startDaemon(daemon.config, { log: silentLog, openPulls: async () => pulls });
    await assert.rejects(late, failing("STORE_FAILED"));
    assert.ok(pulls.stopped);
    assert.ok(!existsSync(socketPath));
    await daemon.start();
    assert.ok(existsSync(socketPath));
  });

  test("an unsafe state folder is refused before anything is made in it", async () => {
    await using daemon = await TestDaemon.make();
    await mkdir(daemon.stateDir);
    await chmod(daemon.stateDir, 0o777);
    await assert.rejects(daemon.start(), failing("STATE_UNSAFE"));
    assert.deepEqual(await readdir(daemon.stateDir), []);
  });

  test("puts right what a kill left, and says so in its log", async () => {
    await using daemon = await TestDaemon.make();
    const id = newImageId();
    await mkdir(join(daemon.stateDir, "images", `${id}.staging`), { recursive: true });
    await chmod(daemon.stateDir, 0o700);
    {
      await using store = await openStore(join(daemon.stateDir, "banger.db"));
      await store.insertPull(pullRecord({ id: "cut" }));
    }
    await daemon.start();
    assert.deepEqual(await readdir(join(daemon.stateDir, "images")), [markerName]);
    const { pull } = await daemon.call(method.getPull, { pullId: "cut" });
    assert.equal(pull?.failureReason, "SHUTTING_DOWN");
    const log = daemon.lines.join("");
    assert.ok(log.includes(id) && log.includes('pulls=["cut"]'), log);
  });
});

describe("the program", () => {
  const bangerd = join(root, "src/bin/bangerd.js");

  async function startProgram(folder: string) {
    const paths = ["--state-dir", join(folder, "s"), "--cache-dir", join(folder, "c")];
    const socket = join(folder, "p.sock");
    const child = spawn(process.execPath, [bangerd, ...paths, "--socket", socket], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: process.env["PATH"], HOME: folder, TMPDIR: tmpdir() },
    });
    let log = "";
    child.stderr.on("data", (piece: Buffer) => (log += piece.toString()));
    while (!log.includes("serving")) {
      if (child.exitCode !== null) assert.fail(log);
      await sleep(20);
    }
    return { child, socket, exited: once(child, "exit"), log: () => log };
  }

  test("serves until SIGTERM, then ends with 0; after SIGKILL it starts again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "banger-program-"));
    try {
      const first = await startProgram(folder);
      first.child.kill("SIGKILL");
      await first.exited;
      assert.ok(existsSync(first.socket), "a killed daemon leaves its socket");
      const second = await startProgram(folder);
      using channel = openChannel(second.socket);
      const signal = new AbortController().signal;
      const status = await channel.unary(DaemonService.method.getDaemonStatus, {}, signal);
      assert.equal(status.pid, second.child.pid);
      second.child.kill("SIGTERM");
      assert.deepEqual(await second.exited, [0, null]);
      assert.ok(!existsSync(second.socket));
      assert.match(second.log(), /signal name="SIGTERM"[^]*stopped\n$/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("tells its version, a wrong option, a missing config, and what to do", () => {
    const run = (...args: string[]) => spawnSync(process.execPath, [bangerd, ...args], { encoding: "utf8" });
    const version = run("--version");
    assert.equal(version.status, 0);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
    assert.equal(run("--no-such").status, 2);
    assert.equal(run("surplus").status, 2);
    const config = run("--config", "/no/such/config.toml");
    assert.equal(config.status, 1);
    assert.match(
      config.stderr,
      /^bangerd: there is no config file \/no\/such\/config\.toml\n {2}→ Check --config/,
    );
  });

  test("an older Node is told so before anything is loaded", { skip: !existsSync("/usr/bin/node") }, () => {
    const older = spawnSync("/usr/bin/node", ["--version"], { encoding: "utf8" }).stdout;
    const { status, stderr } = spawnSync("/usr/bin/node", [bangerd], { encoding: "utf8" });
    if (Number(/^v(\d+)/.exec(older)?.[1]) >= 26) return;
    assert.equal(status, 1);
    assert.match(stderr, /^bangerd: Node 26 or newer is needed, and this is \d/);
  });
});
