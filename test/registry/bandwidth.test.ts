import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BandwidthLimit } from "../../src/base/bandwidth.ts";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { systemClock, type Clock } from "../../src/base/retry.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { recordingClock } from "../base/recording-clock.ts";
import { impatient, pullAll } from "./pull-all.ts";

const KiB = 1024;
const image = buildImage({ layers: [noise(600 * KiB), noise(300 * KiB, 2)] });

test("all of a pull's layers keep to the bandwidth, and nothing else does", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const clock = recordingClock();
  const started = clock.now();
  const bandwidth = new BandwidthLimit(100 * KiB, clock);
  const pulled = await pullAll(`${registry.host}/app:1`, { bandwidth });
  assert.deepEqual(
    pulled.layers,
    image.blobs.slice(1).map(({ bytes }) => bytes),
  );
  const bytes = image.blobs.slice(1).reduce((sum, one) => sum + one.bytes.length, 0);
  const seconds = (clock.now() - started) / 1000;
  // What the bucket began with is less than half a second's.
  assert.ok(seconds > bytes / (100 * KiB) - 0.5 && seconds < bytes / (100 * KiB) + 1, String(seconds));
});

test("a wait for bandwidth is no stall of the server's, and no drip", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const fast = recordingClock();
  // Each of these waits is longer than the server may be silent, and than its rate is measured over.
  const slow: Clock = {
    ...fast,
    sleep: (ms, signal) => (fast.advance(20 * ms), systemClock.sleep(200, signal)),
  };
  const bandwidth = new BandwidthLimit(400 * KiB, slow);
  const limits = { ...impatient, minBytesPerSecond: 1024 * KiB, attempts: 1 };
  const pulled = await pullAll(`${registry.host}/app:1`, { bandwidth, limits });
  // Nor does it end badly where the server, long done, closes the connection before all is read.
  assert.deepEqual(pulled.notices, []);
  assert.equal(pulled.layers.length, 2);
  assert.equal(registry.asked(/blobs/).length, 3, "each once, and the config");
});

test("a server that falls silent is still found out", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  registry.fault({ path: new RegExp(`blobs/${image.blobs[1]?.digest ?? ""}`) }, { silentBody: true });
  const bandwidth = new BandwidthLimit(100 * KiB, recordingClock());
  await assert.rejects(
    pullAll(`${registry.host}/app:1`, { bandwidth, limits: impatient }),
    (error: unknown) => hasReason(error, "REGISTRY_UNAVAILABLE") && /sent nothing/.test(error.message),
  );
});

test("a pull that waits for bandwidth can be cancelled", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const cancelled = new AbortController();
  const bandwidth = new BandwidthLimit(1 * KiB);
  const pull = pullAll(`${registry.host}/app:1`, { bandwidth, signal: cancelled.signal });
  while (registry.asked(/blobs/).length < 2) await delay(5);
  cancelled.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
  await assert.rejects(pull, (error: unknown) => hasReason(error, "CANCELLED"));
});
