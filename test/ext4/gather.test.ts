import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { shortReads } from "../base/faulty-handles.ts";
import { buildAndInspect, inputFor, rejection, workFolder } from "./build-rig.ts";
import { buildTree, device, dir, fifo, file, link, type Described } from "./tree-builder.ts";

/** Directories that mke2fs can't make in time, or not at all: their names are staged elsewhere and moved. */
async function assertBuilds(root: Described): Promise<string> {
  const folder = workFolder();
  try {
    const built = await buildAndInspect(await inputFor(buildTree(root), folder.path));
    assert.deepEqual(built.verdict.differences, []);
    assert.equal(built.verdict.fsck.clean, true, built.verdict.fsck.output);
    assert.deepEqual(built.verdict.fsck.problems, []);
    return execFileSync("/usr/sbin/debugfs", ["-R", "ls -p /", built.image], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } finally {
    await folder[Symbol.asyncDispose]();
  }
}

function many(count: number, child: (i: number) => Described, name = "name"): Record<string, Described> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}-${i}`, child(i)]));
}

function chain(levels: number, name: string, end: Described): Described {
  let inner = end;
  for (let i = 0; i < levels; i++) inner = dir({ [name]: inner });
  return inner;
}

test("a directory of many files, directories and links", async () => {
  const shared = file("shared");
  const kinds = [file("x"), shared, link("target"), file("")];
  const children = many(2000, (i) =>
    i % 5 === 4 ? dir({ inside: file(`${i}`) }) : (kinds[i % 5] ?? file("")),
  );
  await assertBuilds(
    dir({ wide: dir(children, { mode: 0o1777, uid: 70_000, mtime: { seconds: 5, nanoseconds: 7 } }) }),
  );
});

test("a read that gives less than was asked for costs no name", async () => {
  using _disk = await shortReads(8);
  await assertBuilds(
    dir({ wide: dir({ ...many(1100, () => file("x")), inner: dir({ inside: file("i") }) }) }),
  );
});

test("names of every length, so that blocks end in gaps", async () => {
  const children = Array.from({ length: 1500 }, (_, i) => [`${i}-${"n".repeat(i % 250)}`, file("")] as const);
  await assertBuilds(dir({ wide: dir(Object.fromEntries(children)) }));
});

test("a wide directory in a wide directory, and devices among the names", async () => {
  const inner = (): Described =>
    dir({ ...many(1100, () => file("i")), disk: device("block", 8, 1), pipe: fifo() });
  await assertBuilds(
    dir({
      outer: dir({ ...many(1100, () => file("o")), inner: inner(), "name-5x": chain(3, "d", inner()) }),
    }),
  );
});

test("the root itself, with a lost+found and a name that the buckets would have had", async () => {
  const listing = await assertBuilds(
    dir({
      ...many(1100, () => file("")),
      "lost+found": dir({ found: file("x") }),
      banger: file("b"),
      "banger-": dir(),
    }),
  );
  assert.match(listing, /\/banger\/\d*\//);
  assert.doesNotMatch(listing, /banger--/);
});

test("paths of the lengths at which mke2fs writes past its buffer", async () => {
  // One more for the slash that mke2fs puts before it: 255, 510, 1,020, 2,040 and 4,080 bytes.
  await assertBuilds(chain(1019, "d", file("x")));
  await assertBuilds(
    dir({ a: chain(15, "n".repeat(254), file("x")), b: chain(679, "ee", dir({ end: file("y") })) }),
  );
});

test("a size that is asked for includes what the buckets need", async () => {
  await using folder = workFolder();
  const input = await inputFor(
    buildTree(dir(many(5000, () => file(""), "a-rather-long-name-of-a-file"))),
    folder.path,
  );
  const failure = await rejection(e2fsprogsBuilder.build({ ...input, sizeBytes: 1024 * 1024 }));
  assert.ok(hasReason(failure, "SIZE_TOO_SMALL"));
  const sizeBytes = Number(failure.facts["minimumBytes"]);
  const { image, verdict } = await buildAndInspect({ ...input, sizeBytes });
  assert.deepEqual([verdict.differences, verdict.fsck.clean], [[], true]);
  assert.equal(statSync(image).size, sizeBytes);
});
