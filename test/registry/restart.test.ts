import assert from "node:assert/strict";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { recordingClock, type RecordingClock } from "../base/recording-clock.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { pullAll } from "./pull-all.ts";

const image = buildImage({ layers: [noise(1_000_000), noise(3000, 2)] });
const layers = image.blobs.slice(1).map(({ bytes }) => bytes);
const layerPath = new RegExp(image.blobs[1]?.digest ?? "");

/** A clock in whose pauses the registry comes back, after so many of them. */
function clockThatRestarts(registry: FakeRegistry, pauses: number): RecordingClock {
  const clock = recordingClock();
  const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    await clock.sleep(ms, signal);
    if (clock.pauses.length === pauses) await registry.comeBack();
  };
  return { ...clock, sleep };
}

test("H12 a registry that restarts in the middle of a blob is waited for, and the blob goes on", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.fault({ path: layerPath, times: 1 }, { cutAfter: 300_000, goesAway: true });
  const clock = clockThatRestarts(registry, 12);
  const pulled = await pullAll(`${registry.host}/team/app:1.0`, { clock });
  assert.deepEqual(pulled.layers, layers);
  assert.match(pulled.notices[2]?.why ?? "", /ECONNREFUSED/);
  const [, resumed, ...more] = registry.asked(layerPath);
  assert.equal(more.length, 0);
  assert.match(resumed?.headers["range"] ?? "", /^bytes=[1-9]/);
  const waited = clock.pauses.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited > 5000, `${waited} ms`);
});

test("H12 a registry that restarts between two requests is waited for", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.fault({ path: /manifests/, times: 1 }, { goesAway: true });
  const pulled = await pullAll(`${registry.host}/team/app:1.0`, { clock: clockThatRestarts(registry, 2) });
  assert.deepEqual(pulled.layers, layers);
});

test("H12 one that does not come back is given up after a bounded time, and what was fetched is kept", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.fault({ path: layerPath, times: 1 }, { cutAfter: 300_000, goesAway: true });
  const clock = recordingClock();
  await assert.rejects(pullAll(`${registry.host}/team/app:1.0`, { clock }), (error: unknown) => {
    assert.ok(hasReason(error, "REGISTRY_UNAVAILABLE"));
    assert.match(error.message, /ECONNREFUSED/);
    return true;
  });
  const waited = clock.pauses.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited > 10_000 && waited < 120_000, `${waited} ms`);
});
