import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Trash } from "../../src/base/trash.ts";

let dir = "";
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "banger-trash-"));
});
after(() => rm(dir, { recursive: true, force: true }));

test("what is discarded is out of its place at once, and gone once the trash is disposed of", async () => {
  const folder = join(dir, "large");
  await mkdir(folder);
  await writeFile(join(folder, "file"), "");
  const { promise, resolve } = Promise.withResolvers<void>();
  const trash = new Trash(() => assert.fail("nothing goes wrong"));
  await trash.discard(folder, `${folder}.trash`, async (path) => {
    await promise;
    await rm(path, { recursive: true });
  });
  assert.deepEqual([existsSync(folder), existsSync(`${folder}.trash`)], [false, true]);
  await trash.discard(folder, `${folder}.trash`);
  let disposed = false;
  const disposing = trash[Symbol.asyncDispose]().then(() => (disposed = true));
  await new Promise(setImmediate);
  assert.equal(disposed, false, "it waits for what is under way");
  resolve();
  await disposing;
  assert.equal(existsSync(`${folder}.trash`), false);
});

test("what can't be removed is told, and holds nobody up", async () => {
  const folder = join(dir, "stuck");
  await mkdir(folder);
  const told: string[] = [];
  const trash = new Trash((path, error) => told.push(`${path} ${String(error)}`));
  await trash.discard(folder, `${folder}.trash`, () => Promise.reject(new Error("stuck")));
  await trash[Symbol.asyncDispose]();
  assert.deepEqual(told, [`${folder}.trash Error: stuck`]);
});
