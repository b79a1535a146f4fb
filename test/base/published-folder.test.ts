import assert from "node:assert/strict";
import { copyFile, link, mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { listToSync } from "../../src/base/published-folder.ts";

test("only what is one inode with a published file of the same path goes without a sync", async () => {
  await using temporary = await makeTempDir("banger-published-");
  const [published, staged] = [join(temporary.path, "published"), join(temporary.path, "staged")];
  for (const dir of [published, staged]) await mkdir(join(dir, "modules"), { recursive: true });
  for (const name of ["kernel", "initrd", "modules/a.ko", "modules/b.ko", "modules/c.ko"]) {
    await writeFile(join(published, name), name);
  }
  await link(join(published, "kernel"), join(staged, "kernel"));
  await link(join(published, "modules/a.ko"), join(staged, "modules/a.ko"));
  // A copy, or a reflink, beside links; a link of something else; a second name of what is new; what is new.
  await copyFile(join(published, "modules/b.ko"), join(staged, "modules/b.ko"));
  await link(join(published, "modules/a.ko"), join(staged, "modules/c.ko"));
  await writeFile(join(staged, "initrd"), "initrd");
  await link(join(staged, "initrd"), join(staged, "again"));
  await writeFile(join(staged, "rootfs.ext4"), "");

  const { files, folders } = await listToSync(staged, published);
  const names = (paths: readonly string[]) => paths.map((path) => relative(staged, path)).toSorted();
  assert.deepEqual(names(files), ["again", "initrd", "modules/b.ko", "modules/c.ko", "rootfs.ext4"]);
  assert.deepEqual(names(folders), ["", "modules"]);
  assert.equal((await listToSync(staged)).files.length, 7, "all of them where nothing is said");
});
