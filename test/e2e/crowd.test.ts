import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { before } from "node:test";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { hasReason } from "../../src/base/error.ts";
import { openChannel } from "../../src/client/channel.ts";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { makeDaemonHome, runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

const { method } = ImageService;
const never = new AbortController().signal;
let image: FakeImage;
before(async () => {
  image = buildImage({ layers: [await tarOf((put) => put({ name: "noise" }, noise(8 << 20, 1)))] });
});

/** The most memory that the daemon ever had, in MiB. */
function peakMiB(daemon: DaemonProcess): number {
  const status = readFileSync(`/proc/${daemon.child.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

async function hangingRegistry(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  const [, layer] = image.blobs;
  assert.ok(layer !== undefined);
  registry.fault({ path: new RegExp(layer.digest.slice("sha256:".length)), method: "GET" }, { hang: true });
  return registry;
}

test("4,000 pulls at once: as many as there may be go on, the others hear why, and memory stays", async () => {
  await using registry = await hangingRegistry();
  await using home = await makeDaemonHome();
  await using daemon = await startDaemonProcess({ home });
  const leave = new AbortController();
  const refusals = new Map<string, number>();
  let admitted = 0;
  const follow = async (channel: ReturnType<typeof openChannel>, at: number): Promise<void> => {
    const request = { reference: `${registry.host}/app:${at}`, options: { noAgents: true } };
    try {
      for await (const _event of channel.stream(method.pullImage, request, leave.signal)) {
        // What it says is of no interest here.
      }
    } catch (error) {
      if (leave.signal.aborted) return;
      if (!hasReason(error, "TOO_MANY_PULLS", "TOO_MANY_STREAMS")) throw error;
      assert.match(error.hint, /^(Wait|End) .{20}/);
      refusals.set(error.reason, (refusals.get(error.reason) ?? 0) + 1);
    }
  };
  for (let at = 0; at < 50; at++) registry.add("app", String(at), image);
  const channels = Array.from({ length: 8 }, () => openChannel(home.socket));
  const following = channels.flatMap((channel) =>
    Array.from({ length: 500 }, (_, at) => follow(channel, at % 50)),
  );
  const refused = (): number => [...refusals.values()].reduce((sum, count) => sum + count, 0);
  for (let turns = 0; refused() < 3000; turns++) {
    assert.ok(turns < 1200, `${refused()} were refused`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // Another client is served all the while.
  const status = await runCli(daemon, "daemon", "status", "--json");
  admitted = Number(JSON.parse(status.stdout).activePullCount);
  assert.ok(admitted > 0 && admitted <= 500, String(admitted));
  const peak = peakMiB(daemon);
  leave.abort();
  await Promise.all(following);
  for (const channel of channels) channel[Symbol.dispose]();
  console.log(`${admitted} pulls admitted, ${refused()} refused, at most ${Math.round(peak)} MiB`);
  assert.ok(peak < 400, `${peak} MiB`);
});

test("ten watchers that read nothing hold up neither the pull nor those who read, and cost no memory", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const [, layer] = image.blobs;
  assert.ok(layer !== undefined);
  const path = new RegExp(layer.digest.slice("sha256:".length));
  registry.fault({ path, method: "GET" }, { drip: { bytes: 16 * 1024, everyMs: 2 } });
  await using home = await makeDaemonHome();
  await using daemon = await startDaemonProcess({ home });
  using channel = openChannel(home.socket);
  const before = peakMiB(daemon);
  const request = { reference: `${registry.host}/app:1`, options: { noAgents: true } };
  const reading = channel.stream(method.pullImage, request, never)[Symbol.asyncIterator]();
  const first = await reading.next();
  const pullId = first.value?.event?.pullId ?? "";
  const idle = Array.from({ length: 10 }, () =>
    channel.stream(method.watchPull, { pullId }, never)[Symbol.asyncIterator](),
  );
  // One message each, so that the streams are open; then nothing more is taken.
  for (const stream of idle) await stream.next();
  const seen: string[] = [];
  for (let step = first; step.done !== true; step = await reading.next()) {
    seen.push(step.value.event?.event.case ?? "");
  }
  assert.equal(seen.at(-1), "published");
  assert.ok(peakMiB(daemon) - before < 200, `${before} MiB, then ${peakMiB(daemon)} MiB`);
  // Whoever reads on after all has missed no milestone.
  for (const stream of idle) {
    const late: string[] = [];
    for (let step = await stream.next(); step.done !== true; step = await stream.next()) {
      late.push(step.value.event?.event.case ?? "");
    }
    for (const kind of ["layerFetched", "layerScanned", "flattened", "ext4Built", "verified", "published"]) {
      assert.ok(late.includes(kind), `${kind} in ${late.join()}`);
    }
  }
});
