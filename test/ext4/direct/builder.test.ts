import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BangerError, hasReason, type Reason } from "../../../src/base/error.ts";
import { digestOf } from "../../../src/base/digest.ts";
import type { BuildInput, RootfsBuilder } from "../../../src/ext4/builder.ts";
import { makeDirectBuilder } from "../../../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../../../src/ext4/e2fsprogs/builder.ts";
import { Ext4Image } from "../../../src/ext4/read/image.ts";
import { differences } from "../../system/host-tree.ts";
import { readMounted } from "../../system/mounted.ts";
import { awkwardTree } from "../awkward-tree.ts";
import { assertNoLitter, buildAll, inputFor, rejection, workFolder } from "../build-rig.ts";
import { assertLikeDebugfs } from "../debugfs-oracle.ts";
import { Scratch } from "../image-maker.ts";
import { noise, sampleTree } from "../sample-tree.ts";
import { buildTree, dir, file } from "../tree-builder.ts";

const MiB = 1024 * 1024;
const isRoot = process.geteuid?.() === 0;
const direct = makeDirectBuilder();

test("another UUID, hash seed or size gives other bytes", async () => {
  await using folder = workFolder();
  const input = await inputFor(sampleTree(), folder.path);
  const digests = new Set<string>();
  const changes: readonly Partial<BuildInput>[] = [
    {},
    { uuid: "11234567-89ab-cdef-0123-456789abcdef" },
    { hashSeed: "1edcba98-7654-3210-fedc-ba9876543210" },
    { sizeBytes: 100 * MiB },
  ];
  for (const [at, change] of changes.entries()) {
    const target = join(folder.path, String(at));
    await buildAll({ ...input, ...change, target }, direct);
    digests.add(digestOf(readFileSync(target)));
  }
  assert.equal(digests.size, changes.length);
});

test(
  "the kernel reads the same as of what e2fsprogs built",
  { skip: isRoot ? false : "mounting is root's" },
  async () => {
    await using folder = workFolder();
    const read = async (builder: RootfsBuilder): Promise<ReturnType<typeof readMounted>> => {
      const target = join(folder.path, builder.name);
      await buildAll(await inputFor(sampleTree(), folder.path, { target }), builder);
      return readMounted(target);
    };
    const expected = await read(e2fsprogsBuilder);
    assert.ok(expected.size > 20);
    assert.deepEqual(differences(expected, await read(direct)), []);
  },
);

test("debugfs reads what our reader reads, of what is awkward too", async () => {
  using scratch = new Scratch();
  const input = await inputFor(awkwardTree(), scratch.path);
  await buildAll(input, direct);
  using image = Ext4Image.open(input.target);
  assert.ok(assertLikeDebugfs(scratch, input.target, image) > 1000);
});

test("it takes no program, and no temporary file", async () => {
  await using folder = workFolder();
  const input = await inputFor(sampleTree(), folder.path, { tempDir: "/nowhere" });
  const path = process.env["PATH"] ?? "";
  process.env["PATH"] = "/nowhere";
  try {
    await direct.check(input.signal);
    await buildAll(input, direct);
  } finally {
    process.env["PATH"] = path;
  }
  assert.ok(statSync(input.target).size > MiB);
});

test("free blocks hold nothing, and take no room on the disk", async () => {
  await using folder = workFolder();
  const input = await inputFor(buildTree(dir({ f: file(noise(100_000)) })), folder.path, {
    sizeBytes: 4096 * MiB,
  });
  await buildAll(input, direct);
  const { size, blocks } = statSync(input.target);
  assert.equal(size, 4096 * MiB);
  assert.ok(blocks * 512 < 8 * MiB, `${blocks * 512} bytes`);
});

async function refused(input: BuildInput, reason: Reason): Promise<BangerError> {
  const error = await rejection(buildAll(input, direct));
  assert.ok(hasReason(error, reason), String(error));
  return error;
}

test("a target that is there already is left alone", async () => {
  await using folder = workFolder();
  const input = await inputFor(sampleTree(), folder.path);
  writeFileSync(input.target, "somebody's");
  await refused(input, "FILESYSTEM_ERROR");
  assert.equal(readFileSync(input.target, "latin1"), "somebody's");
});

test("a folder that isn't there", async () => {
  await using folder = workFolder();
  await refused(
    await inputFor(sampleTree(), folder.path, { target: "/nowhere/rootfs.ext4" }),
    "FILESYSTEM_ERROR",
  );
});

test("a layer that is broken or gone", async () => {
  await using folder = workFolder();
  const input = await inputFor(sampleTree(), folder.path);
  const [first] = input.layers;
  assert.ok(first !== undefined);
  const blob = readFileSync(first.path);
  writeFileSync(first.path, blob.subarray(0, blob.length >> 1));
  await refused(input, "LAYER_INVALID");
  rmSync(input.target);
  rmSync(first.path);
  await refused(input, "FILESYSTEM_ERROR");
});

for (const when of ["before it begins", "while contents are written"]) {
  test(`cancelled ${when}`, async () => {
    await using folder = workFolder();
    const stop = new AbortController();
    const cancel = (): void => stop.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
    const files = Array.from(
      { length: 40 },
      (_, i) => [`f${i}`, file(Buffer.alloc(MiB, `some text ${i}`))] as const,
    );
    const input = await inputFor(buildTree(dir(Object.fromEntries(files))), folder.path, {
      signal: stop.signal,
      onProgress: cancel,
    });
    if (when === "before it begins") cancel();
    const begin = performance.now();
    await refused(input, "CANCELLED");
    assert.ok(performance.now() - begin < 10_000);
    assertNoLitter(input);
    assert.equal(existsSync(input.target), when !== "before it begins", "which is the caller's to remove");
  });
}
