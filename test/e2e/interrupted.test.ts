import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createReadStream, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Digester, hexOf } from "../../src/base/digest.ts";
import { buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { makeDaemonHome, runCli, startDaemonProcess, type DaemonHome } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

/** `BANGER_BIG_BLOB_MB=300` for the size that people complain about; the suite's does the same in less time. */
const megabytes = Number(process.env["BANGER_BIG_BLOB_MB"] ?? 64);
const cuts = 10;
const kills = 2;
/** What a request too many may cost: bytes that were under way when a connection was cut, or a process killed. */
const allowance = 1.02;

test(`a blob of ${megabytes} MB, cut ${cuts} times while the daemon is killed ${kills} times, is fetched once`, async () => {
  await using registry = await FakeRegistry.start();
  const content = randomBytes(megabytes * 1_000_000);
  const layer = await tarOf((put) => put({ name: "blob" }, content));
  const mediaType = "application/vnd.oci.image.layer.v1.tar";
  const image = buildImage({ layers: [{ content: layer, mediaType }] });
  registry.add("app", "1", image);
  const blob = image.blobs[1];
  assert.ok(blob !== undefined);
  const answers = cuts + kills + 1;
  await using home = await makeDaemonHome();
  const ingest = join(home.cache, "oci", "ingest");
  const window = { bytes: 500_000, arrived: () => largestFile(ingest) };
  const path = new RegExp(blob.digest);
  registry.fault({ path, times: answers - 1 }, { cutAfter: Math.ceil(blob.bytes.length / answers), window });
  registry.fault({ path }, { window });
  for (let kill = 1; kill <= kills; kill++) {
    const at = (blob.bytes.length * kill) / (kills + 1);
    assert.notEqual(await pullUntil(home, registry, at), 0);
  }
  assert.equal(await pullUntil(home, registry, Number.POSITIVE_INFINITY), 0);

  assert.equal(registry.asked(path).length, answers, "each cut and kill led to one more request");
  const ratio = registry.sentOf(path) / blob.bytes.length;
  console.log(`${registry.sentOf(path)} bytes sent of ${blob.bytes.length}: ${ratio.toFixed(4)}`);
  assert.ok(ratio >= 1 && ratio <= allowance, `${ratio} times the blob was sent`);
  const digester = new Digester();
  const stored = join(home.cache, "oci", "blobs", "sha256", hexOf(blob.digest));
  for await (const piece of createReadStream(stored)) if (Buffer.isBuffer(piece)) digester.update(piece);
  assert.equal(digester.digest(), blob.digest);
});

function largestFile(folder: string): number {
  const sizes = readdirSync(folder).map((name) => {
    return statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  });
  return Math.max(0, ...sizes);
}

/** Pulls with a daemon of its own, which is killed once so many bytes were sent. Returns the client's exit code. */
async function pullUntil(home: DaemonHome, registry: FakeRegistry, bytes: number): Promise<number | null> {
  await using daemon = await startDaemonProcess({ home });
  const pulling = runCli(daemon, "image", "pull", `${registry.host}/app:1`, "--no-agents", "--quiet");
  const ended = pulling.then(() => true);
  while (registry.sentBytes < bytes) {
    if (await Promise.race([ended, sleep(2, false)])) break;
  }
  if (Number.isFinite(bytes)) await daemon.kill();
  const { status, stderr } = await pulling;
  if (!Number.isFinite(bytes)) assert.equal(status, 0, `${stderr}\n${daemon.log()}`);
  return status;
}
