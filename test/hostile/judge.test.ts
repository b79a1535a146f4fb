import assert from "node:assert/strict";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { BangerError, type ErrorDetails, type Reason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { LayerScanner, makeScanPool } from "../../src/layers/scan.ts";
import { writeLayer } from "../layers/layer-blob.ts";
import { file, header, symlink, tar } from "../layers/tar-builder.ts";
import { layGrounds, surroundings } from "./canary.ts";
import type { Expectation, StoredCase } from "./hostile-case.ts";
import { bounds, judgeCase, judgePeak, judgeSurroundings } from "./judge.ts";
import { construct, travel, type Outcome, type Road } from "./road.ts";

/** A campaign that can't fail proves nothing: each defect that it is there to find is planted, and found. */
const never = { mediaType: "application/vnd.oci.image.layer.v1.tar", signal: new AbortController().signal };

async function withCase(
  archive: Buffer,
  expect: Expectation,
  use: (stored: StoredCase, road: Road, folder: string) => Promise<void>,
): Promise<void> {
  await using folder = await makeTempDir("banger-judge-");
  await using pool = makeScanPool(1);
  const limits = defaultLimits;
  const scanner = new LayerScanner({ pool, indexFolder: join(folder.path, "indexes"), limits });
  const layers = [await writeLayer(folder.path, archive, "none")];
  const stored: StoredCase = { name: "planted", layers, expect, build: "together" };
  await use(stored, { scanner, limits, timeoutMs: 10_000 }, folder.path);
}

const wrongSum = tar(file("a", "x"), header({ name: "b", checksum: 1 }));

test("nothing is said of a case that ends as it should", async () => {
  await withCase(wrongSum, { rule: "header-checksum" }, async (stored, road) => {
    assert.deepEqual(judgeCase(stored, (await travel(road, stored)).outcome), []);
  });
});

test("a scanner that accepts a wrong checksum", async () => {
  await withCase(wrongSum, { rule: "header-checksum" }, async (stored, road, folder) => {
    const right = await writeLayer(folder, tar(file("a", "x"), header({ name: "b" })), "none");
    const scan: Road["scanner"]["scan"] = () => road.scanner.scan(right, never);
    const { outcome } = await travel({ ...road, scanner: { scan } }, stored);
    assert.deepEqual(judgeCase(stored, outcome), ["planted: was accepted, though header-checksum"]);
  });
});

test("a scanner that refuses what is right, that throws, that hangs", async () => {
  await withCase(tar(file("a", "x")), "accepted", async (stored, road) => {
    const with_ = async (scan: Road["scanner"]["scan"], timeoutMs = 10_000): Promise<readonly string[]> =>
      judgeCase(stored, (await travel({ ...road, timeoutMs, scanner: { scan } }, stored)).outcome);
    const [digest = ""] = stored.layers.map((layer) => layer.digest);
    const facts = { layer: digest, entry: "1", rule: "type-flag" };
    const refuse = new BangerError("LAYER_UNSAFE", "no", { op: "scan", facts });
    assert.deepEqual(await with_(() => Promise.reject(refuse)), ["planted: was refused: no"]);
    assert.deepEqual(await with_(() => Promise.reject(new TypeError("x is undefined"))), [
      "planted: threw TypeError: x is undefined",
    ]);
    const hang: Road["scanner"]["scan"] = (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("late"))));
    assert.deepEqual(await with_(hang, 20), ["planted: was not done in time"]);
  });
});

test("a tree that is not what is built from it", async () => {
  await withCase(tar(file("a", "x"), symlink("s", "t")), "accepted", async (stored, road, folder) => {
    const swapped = await writeLayer(folder, tar(file("a", "y"), symlink("s", "t")), "none");
    const { tree } = await travel(road, stored);
    assert.ok(tree !== undefined);
    const how = {
      builder: e2fsprogsBuilder,
      limits: defaultLimits,
      tempDir: folder,
      target: join(folder, "image"),
      timeoutMs: 60_000,
    };
    const outcome = await construct(tree, [swapped], how);
    assert.match(judgeCase(stored, outcome).join(), /"path":"\/a","field":"content"/);
  });
});

const someDigest = digestOf(Buffer.from("some layer"));

/** What is said of a refusal that lacks something. */
function judged(
  reason: Reason,
  message: string,
  details: Partial<ErrorDetails>,
  expect: Expectation = "either",
): string {
  const error = new BangerError(reason, message, { op: "scan layer", ...details });
  const outcome: Outcome = { kind: "refused", error };
  const layer = { digest: someDigest, diffId: someDigest, path: "", crc32: 0 };
  return judgeCase({ name: "c", layers: [layer], expect, build: "no" }, outcome).join("\n");
}

test("a refusal that does not say what it should", () => {
  const layer = someDigest;
  const facts = { layer, entry: "3", rule: "type-flag" };
  assert.equal(judged("LAYER_UNSAFE", "m", { facts }), "");
  assert.match(judged("INTERNAL", "m", { facts }), /refused for INTERNAL, which is no reason about layers/);
  assert.match(judged("FILESYSTEM_ERROR", "m", { facts }), /no reason about layers/);
  assert.match(judged("LAYER_UNSAFE", "m", { facts: { ...facts, layer: "sha256:bb" } }), /none of its 1/);
  assert.match(judged("LAYER_UNSAFE", "m", { facts: { entry: "3", rule: "type-flag" } }), /names no layer/);
  assert.match(judged("LAYER_UNSAFE", "m", { facts: { layer, entry: "3" } }), /names no rule/);
  assert.match(judged("LAYER_UNSAFE", "m", { facts: { layer, rule: "type-flag" } }), /names no entry/);
  assert.equal(judged("LAYER_INVALID", "m", { facts: { layer, rule: "gzip" } }), "");
  assert.match(judged("LAYER_UNSAFE", "a\x1b[31m", { facts }), /control characters/);
  assert.match(judged("LAYER_UNSAFE", "m", { facts, hint: "" }), /what to do/);
  assert.match(
    judged("LAYER_UNSAFE", "m", { facts }, { rule: "name-nul" }),
    /refused by type-flag, not name-nul/,
  );
});

test("memory past the bound", () => {
  assert.deepEqual(judgePeak(bounds.peakMemoryBytes), []);
  assert.equal(judgePeak(bounds.peakMemoryBytes + 1).length, 1);
});

test("a file outside that comes, changes or goes", () => {
  const root = mkdtempSync(join(tmpdir(), "banger-canary-"));
  try {
    const grounds = layGrounds(root);
    const before = surroundings(grounds);
    writeFileSync(join(grounds.state, "free"), "");
    writeFileSync(join(grounds.temp, "free"), "");
    assert.deepEqual(judgeSurroundings(before, surroundings(grounds)), []);
    writeFileSync(join(grounds.here, "evil"), "");
    writeFileSync(join(grounds.canary, "keep"), "changed");
    unlinkSync(join(grounds.canary, "link"));
    const said = judgeSurroundings(before, surroundings(grounds)).join("\n");
    assert.match(said, /here\/evil has come/);
    assert.match(said, /canary\/keep was .* and is/);
    assert.match(said, /canary\/link is gone/);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
