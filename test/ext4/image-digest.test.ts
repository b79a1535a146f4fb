import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { digestOfImage } from "../../src/ext4/image-digest.ts";
import { noise } from "./sample-tree.ts";

const forever = new AbortController().signal;

test("the digest is what sha256sum says, holes and all", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "image");
  const fd = openSync(path, "w");
  for (const at of [0, 3_000_000, 9_999_999]) writeSync(fd, noise(5000, String(at)), 0, 5000, at);
  closeSync(fd);
  truncateSync(path, 20_000_001);
  const [expected = ""] = execFileSync("sha256sum", [path], { encoding: "utf8" }).split(" ");
  assert.equal(await digestOfImage(path, defaultLimits, forever), `sha256:${expected}`);
});

test("a file that would take too long has none", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "image");
  closeSync(openSync(path, "w"));
  truncateSync(path, 4097);
  assert.equal(await digestOfImage(path, { digestBytes: 4096 }, forever), undefined);
});

test("cancelling ends it", async () => {
  await using folder = await makeTempDir("banger-test-");
  const path = join(folder.path, "image");
  closeSync(openSync(path, "w"));
  truncateSync(path, 2 ** 34);
  const stop = new AbortController();
  const digest = digestOfImage(path, defaultLimits, stop.signal);
  setTimeout(() => stop.abort(new BangerError("CANCELLED", "enough", { op: "test" })), 100);
  await assert.rejects(digest, (error) => hasReason(error, "CANCELLED"));
});

test("a file that isn't there", async () => {
  await assert.rejects(digestOfImage("/nowhere/image", defaultLimits, forever), (error) =>
    hasReason(error, "FILESYSTEM_ERROR"),
  );
});
