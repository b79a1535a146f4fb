import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { BlobCache } from "../../src/blobs/cache.ts";
import { LayerScanner, makeScanPool } from "../../src/layers/scan.ts";
import type { PullEventBody } from "../../src/pull/events.ts";
import { bringLayersIn, type LayerIn, type LayersInput } from "../../src/pull/layers-in.ts";
import { StageClock } from "../../src/pull/stage-clock.ts";
import { compress } from "../layers/layer-blob.ts";
import { file, tar } from "../layers/tar-builder.ts";

const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";

function makeLayer(...names: readonly string[]) {
  const archive = tar(...names.map((name) => file(name, randomBytes(900_000))));
  const bytes = compress(archive, "gzip");
  return {
    bytes,
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    diffId: digestOf(archive),
  };
}

type MadeLayer = ReturnType<typeof makeLayer>;

/** Brings layers in; `send` says what comes instead of a layer's bytes, and what is waited for before its last ones. */
async function bringIn(
  layers: readonly MadeLayer[],
  send: (
    layer: MadeLayer,
    cache: BlobCache,
  ) => { readonly bytes: Buffer; readonly before?: () => Promise<void> },
  ordinary: "scans" | "is closed" = "scans",
): Promise<{
  readonly result: readonly LayerIn[];
  readonly events: readonly PullEventBody[];
  readonly indexes: string;
}> {
  await using folder = await makeTempDir("banger-layers-in-");
  const blobs = await BlobCache.open(folder.path);
  await using pool = makeScanPool(1);
  await using earlyPool = makeScanPool(1);
  if (ordinary === "is closed") await pool[Symbol.asyncDispose]();
  const indexFolder = blobs.folders.indexes;
  const scanner = new LayerScanner({ pool, earlyPool, indexFolder, limits: defaultLimits });
  const events: PullEventBody[] = [];
  const openBlob: LayersInput["source"]["openBlob"] = async ({ digest }) => {
    const layer = layers.find(({ descriptor }) => descriptor.digest === digest) ?? assert.fail(digest);
    const { bytes, before } = send(layer, blobs);
    async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
      yield bytes.subarray(0, -10);
      await before?.();
      yield bytes.subarray(-10);
    }
    return { offset: 0, body: body(), from: "test" };
  };
  const input: LayersInput = {
    source: { openBlob },
    image: {
      manifest: { layers: layers.map(({ descriptor }) => descriptor) },
      config: { diffIds: layers.map(({ diffId }) => diffId) },
    },
    blobs,
    scanner,
    limits: defaultLimits,
    clock: new StageClock(),
    signal: new AbortController().signal,
    emit: (_stage, body) => void events.push(body),
  };
  try {
    const result = await bringLayersIn(input);
    return { result, events, indexes: readdirSync(join(indexFolder, "sha256")).join(" ") };
  } catch (error) {
    const left = existsSync(join(indexFolder, "sha256")) ? readdirSync(join(indexFolder, "sha256")) : [];
    assert.deepEqual(left, [], "nothing stays of what was scanned of wrong bytes");
    throw error;
  }
}

test("a layer is scanned while it is on its way", async () => {
  const layer = makeLayer("a", "b");
  const { result, events, indexes } = await bringIn([layer], ({ bytes }) => ({ bytes }), "is closed");
  assert.deepEqual(
    result.map(({ index }) => index.entries.length),
    [2],
  );
  assert.equal(indexes, layer.descriptor.digest.slice("sha256:".length));
  const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== "layerProgress");
  assert.deepEqual(kinds, ["layerFetched", "layerScanned"]);
});

test("layers that find no thread free while they come are scanned once they are whole", async () => {
  const layers = ["a", "b", "c", "d"].map((name) => makeLayer(name));
  const { result, events } = await bringIn(layers, ({ bytes }) => ({ bytes }));
  assert.deepEqual(
    result.map(({ blob }) => blob.digest),
    layers.map(({ descriptor }) => descriptor.digest),
  );
  for (const { descriptor } of layers) {
    const of = events.flatMap((event) =>
      "digest" in event && event.digest === descriptor.digest && event.kind !== "layerProgress"
        ? [event.kind]
        : [],
    );
    assert.deepEqual(of, ["layerFetched", "layerScanned"]);
  }
});

test("bytes that are not the layer's are told as that, whatever was read in them meanwhile", async () => {
  const layer = makeLayer("a");
  const other = compress(tar(file("../../escape", "x")), "gzip");
  const padded = Buffer.concat([other, Buffer.alloc(layer.bytes.length - other.length)]);
  const work = bringIn([layer], () => ({ bytes: padded }));
  await assert.rejects(work, (error) => hasReason(error, "DIGEST_MISMATCH"));
  const plausible = bringIn([layer], () => ({ bytes: makeLayer("b").bytes }));
  await assert.rejects(plausible, (error) => hasReason(error, "DIGEST_MISMATCH", "SIZE_MISMATCH"));
});
