import assert from "node:assert/strict";
import test from "node:test";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { openChannel } from "../../src/client/channel.ts";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

const clients = 20;

/** One client, on a connection of its own, to the end of its pull. Returns the image's id. */
async function pullOverGrpc(daemon: DaemonProcess, reference: string): Promise<string> {
  using channel = openChannel(daemon.home.socket);
  const { signal } = new AbortController();
  const request = { reference, options: { noAgents: true } };
  let id = "";
  for await (const { event } of channel.stream(ImageService.method.pullImage, request, signal)) {
    if (event?.event.case === "published") id = event.event.value.image?.id ?? "";
  }
  return id;
}

async function layerOf(name: string, seed: number): Promise<Buffer> {
  return await tarOf((put) => put({ name }, noise(300_000, seed)));
}

/** Every blob, and how often the registry was asked for it, under whichever repository. */
function timesAsked(registry: FakeRegistry, images: readonly FakeImage[]): ReadonlyMap<string, number> {
  const digests = new Set(images.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
  return new Map([...digests].map((digest) => [digest, registry.asked(new RegExp(digest)).length]));
}

test(`${clients} clients pull one image at once: the registry is asked for each blob once`, async () => {
  await using registry = await FakeRegistry.start();
  const layers = await Promise.all([1, 2, 3].map((seed) => layerOf(`file-${seed}`, seed)));
  const image = buildImage({ layers });
  registry.add("team/app", "1.0", image);
  // Slow enough that all are there before any has it.
  registry.fault({ path: /blobs/ }, { drip: { bytes: 16_384, everyMs: 20 } });
  await using daemon = await startDaemonProcess();
  const reference = `${registry.host}/team/app:1.0`;
  const ids = await Promise.all(Array.from({ length: clients }, () => pullOverGrpc(daemon, reference)));
  assert.equal(new Set(ids).size, 1);
  assert.notEqual(ids[0], "");
  for (const [digest, times] of timesAsked(registry, [image])) assert.equal(times, 1, digest);
});

test(`${clients} clients pull five images that share layers: each shared layer is asked for once`, async () => {
  await using registry = await FakeRegistry.start();
  const shared = await Promise.all([1, 2, 3].map((seed) => layerOf(`shared-${seed}`, seed)));
  const images: FakeImage[] = [];
  for (let at = 0; at < 5; at++) {
    const own = await layerOf(`own-${at}`, 100 + at);
    images.push(buildImage({ layers: [...shared, own], config: { author: `image ${at}` } }));
  }
  for (const [at, image] of images.entries()) registry.add(`team/app-${at}`, "1.0", image);
  registry.fault({ path: /blobs/ }, { drip: { bytes: 16_384, everyMs: 20 } });
  await using daemon = await startDaemonProcess();
  const ids = await Promise.all(
    Array.from({ length: clients }, (_, at) =>
      pullOverGrpc(daemon, `${registry.host}/team/app-${at % images.length}:1.0`),
    ),
  );
  assert.equal(new Set(ids).size, images.length);
  const asked = timesAsked(registry, images);
  assert.equal(asked.size, 3 + 2 * images.length);
  for (const [digest, times] of asked) assert.equal(times, 1, digest);
});
