import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { folderTree, openRegular } from "../../src/registry/file-tree.ts";
import { descriptorsOf, failingStat } from "../base/faulty-handles.ts";

test("a file that can't be asked what it is is closed again", async () => {
  await using folder = await makeTempDir("banger-tree-");
  const path = join(folder.path, "index.json");
  await writeFile(path, "{}");
  for (const before of [0, 1]) {
    using _disk = await failingStat(before);
    await assert.rejects(folderTree(folder.path, "test").open("index.json"), /EIO/);
    assert.equal(descriptorsOf(path), 0, `after ${before} that went well`);
  }
  using _disk = await failingStat();
  await assert.rejects(openRegular(path, "test"), /EIO/);
  assert.equal(descriptorsOf(path), 0);
});
