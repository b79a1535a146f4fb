import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, chown, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { newImageId } from "../../src/images/layout.ts";
import { groupAt, groupOf, openToReaders } from "../../src/service/readers.ts";
import { nobody } from "../system/daemon-process.ts";

const kvm = 54_321;

let dir: TempDir;
beforeEach(async () => {
  dir = await makeTempDir("banger-readers-");
});
afterEach(() => dir[Symbol.asyncDispose]());

test("the group that may read is the one that a socket's mode lets in", () => {
  const own = process.getgid?.();
  assert.deepEqual(
    [0o600, 0o660, 0o666, 0o640, 0o620].map((mode) => groupOf({ mode, gid: kvm })),
    [undefined, kvm, kvm, undefined, kvm],
  );
  assert.equal(groupOf({ mode: 0o660, gid: undefined }), own);
});

test("a socket that somebody else made says who may read only where it is root's or this user's", async () => {
  const path = join(dir.path, "s.sock");
  assert.equal(await groupAt(path), undefined);
  await writeFile(path, "");
  await chmod(path, 0o660);
  await chown(path, 0, kvm);
  assert.equal(await groupAt(path), undefined, "no socket");
  await rm(path);
  const server = createServer().listen(path);
  await once(server, "listening");
  try {
    await chmod(path, 0o660);
    await chown(path, 0, kvm);
    assert.equal(await groupAt(path), kvm);
    await chmod(path, 0o600);
    assert.equal(await groupAt(path), undefined);
    await chmod(path, 0o660);
    await chown(path, nobody, kvm);
    assert.equal(await groupAt(path), undefined, "another user's");
  } finally {
    server.close();
  }
});

describe("folders of a state folder", () => {
  test("are opened where they are published, and nothing else is", async () => {
    const [image, staging] = [newImageId(), `${newImageId()}.staging`];
    const folders = [
      "images",
      `images/${image}`,
      `images/${staging}`,
      "kernels",
      "kernels/debian",
      "kernels/.staging-0",
      "images/mine",
    ];
    for (const folder of folders) await mkdir(join(dir.path, folder), { mode: 0o700 });
    const modes = async (): Promise<readonly string[]> =>
      (await Promise.all(["", ...folders].map((folder) => stat(join(dir.path, folder))))).map(
        ({ mode, gid }) => `${(mode & 0o777).toString(8)} ${gid === kvm}`,
      );
    const [open, shut] = ["710 true", "700 false"];
    assert.deepEqual(await openToReaders(dir.path, kvm), []);
    assert.deepEqual(await modes(), [open, open, open, shut, open, open, shut, shut]);
    assert.deepEqual(await openToReaders(dir.path, undefined), []);
    assert.deepEqual(
      (await modes()).map((mode) => mode.slice(0, 3)),
      Array.from(folders, () => "700").concat("700"),
    );
  });
});
