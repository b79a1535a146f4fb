import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { after, before, describe, test } from "node:test";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { imagePaths, markerName, newImageId, parseFolderName } from "../../src/images/layout.ts";
import { allocatedBytes, createStaging } from "../../src/images/publish.ts";
import { recover } from "../../src/images/recover.ts";
import { removeImage } from "../../src/images/remove.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { imageRecord, pullRecord } from "../store/records.ts";

const runFile = promisify(execFile);

let dir: TempDir;
before(async () => {
  dir = await makeTempDir("banger-images-");
});
after(() => dir[Symbol.asyncDispose]());

interface State extends AsyncDisposable {
  readonly stateDir: string;
  readonly store: Store;
}

async function newState(): Promise<State> {
  const stateDir = await mkdtemp(join(dir.path, "s-"));
  const store = await openStore(join(stateDir, "banger.db"));
  return { stateDir, store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

async function publishOne(stateDir: string, store: Store): Promise<string> {
  const record = imageRecord({ name: "" });
  await using staging = await createStaging(record.id, { stateDir, readerGid: undefined });
  await writeFile(staging.rootfsPath, Buffer.alloc(8192, 1));
  await staging.publish(record);
  await store.insertImage(record);
  return record.id;
}

const names = async (stateDir: string): Promise<string[]> =>
  (await readdir(join(stateDir, "images"))).filter((name) => name !== markerName).sort();

describe("layout", () => {
  test("an id is a name of its own kind, and no two are alike", () => {
    const ids = new Set(Array.from({ length: 1000 }, newImageId));
    assert.equal(ids.size, 1000);
    for (const id of ids) assert.deepEqual(parseFolderName(id), { id, kind: "image" });
  });

  test("only our own names are ours", () => {
    const id = newImageId();
    assert.deepEqual(parseFolderName(`${id}.staging`), { id, kind: "staging" });
    assert.deepEqual(parseFolderName(`${id}.removing`), { id, kind: "removing" });
    for (const name of [
      `${id}.stagin`,
      `${id}.staging.`,
      `x${id}`,
      `${id}0`,
      id.toUpperCase(),
      "",
      "..",
      `${id}\n`,
    ]) {
      if (name === id) continue;
      assert.equal(parseFolderName(name), undefined, JSON.stringify(name));
    }
  });
});

describe("publish", () => {
  test("the folder appears under its final name with its document, for its owner alone", async () => {
    await using state = await newState();
    const { stateDir } = state;
    const record = imageRecord();
    {
      await using staging = await createStaging(record.id, { stateDir, readerGid: undefined });
      assert.deepEqual(await names(stateDir), [`${record.id}.staging`]);
      await writeFile(staging.rootfsPath, "rootfs", { mode: 0o600 });
      await mkdir(join(staging.dir, "modules"));
      await writeFile(join(staging.dir, "modules", "a.ko"), "module");
      await staging.publish(record);
      assert.deepEqual(await names(stateDir), [record.id]);
    }
    assert.deepEqual(await names(stateDir), [record.id]);
    const paths = imagePaths(stateDir, record.id);
    assert.equal((await stat(paths.dir)).mode & 0o777, 0o700);
    assert.equal((await stat(paths.rootfs)).mode & 0o777, 0o644);
    const document: unknown = JSON.parse(await readFile(paths.document, "utf8"));
    assert.deepEqual(document, JSON.parse(JSON.stringify(record)));
    assert.deepEqual((await readdir(paths.dir)).sort(), ["image.json", "modules", "rootfs.ext4"]);
  });

  test("what was not published is gone with its owner", async () => {
    await using state = await newState();
    const { stateDir } = state;
    {
      await using staging = await createStaging(newImageId(), { stateDir, readerGid: undefined });
      await writeFile(staging.rootfsPath, "half");
    }
    assert.deepEqual(await names(stateDir), []);
  });

  test("a publish that fails leaves nothing once its owner is gone", async () => {
    await using state = await newState();
    const { stateDir } = state;
    const id = newImageId();
    const staging = await createStaging(id, { stateDir, readerGid: undefined });
    await assert.rejects(staging.publish({}), (error) => hasReason(error, "FILESYSTEM_ERROR"));
    await staging[Symbol.asyncDispose]();
    assert.deepEqual(await names(stateDir), []);
  });

  test("an image whose row was refused is taken back", async () => {
    await using state = await newState();
    const { stateDir } = state;
    await using staging = await createStaging(newImageId(), { stateDir, readerGid: undefined });
    await writeFile(staging.rootfsPath, "rootfs");
    await staging.publish({});
    await staging.unpublish();
    await staging.unpublish();
    assert.deepEqual(await names(stateDir), []);
  });

  test("an id is never used twice", async () => {
    await using state = await newState();
    const { stateDir } = state;
    const id = newImageId();
    await using first = await createStaging(id, { stateDir, readerGid: undefined });
    assert.ok(first.dir.endsWith(`${id}.staging`));
    await assert.rejects(createStaging(id, { stateDir, readerGid: undefined }), (error) =>
      hasReason(error, "FILESYSTEM_ERROR"),
    );
  });

  test("allocated is what the disk gave, not what the file seems", async () => {
    const path = join(dir.path, "sparse");
    await writeFile(path, "");
    await (await import("node:fs/promises")).truncate(path, 1 << 30);
    assert.ok(allocatedBytes(await stat(path)) < 1 << 20);
    assert.equal(allocatedBytes({ blocks: 16 }), 8192);
  });
});

describe("remove", () => {
  test("row and folder go, and what they took is told", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const id = await publishOne(stateDir, store);
    const freed = await removeImage(store, stateDir, id);
    assert.ok(freed >= 8192);
    assert.deepEqual(await names(stateDir), []);
    assert.equal(await store.imageCount(), 0);
    await assert.rejects(removeImage(store, stateDir, id), (error) => hasReason(error, "IMAGE_UNKNOWN"));
  });

  test("a row that can't be removed keeps its folder", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const id = await publishOne(stateDir, store);
    const rows = {
      condemnImage: (wanted: string) => store.condemnImage(wanted),
      deleteImage: () => Promise.reject(new Error("busy")),
    };
    await assert.rejects(removeImage(rows, stateDir, id));
    assert.deepEqual(await names(stateDir), [id]);
  });

  test("a folder that can't be moved away keeps its row", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const id = await publishOne(stateDir, store);
    const obstacle = join(stateDir, "images", `${id}.removing`, "in-the-way");
    await mkdir(obstacle, { recursive: true });
    await assert.rejects(removeImage(store, stateDir, id));
    assert.deepEqual(await store.allImageIds(), new Set([id]));
    assert.ok((await names(stateDir)).includes(id));
    await rm(obstacle, { recursive: true });
    await removeImage(store, stateDir, id);
    assert.deepEqual([await names(stateDir), await store.imageCount()], [[], 0]);
  });
});

describe("leases", () => {
  test("an image that is held stays, and who holds it is told", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const imageId = await publishOne(stateDir, store);
    const lease = await store.acquireLease({ imageId, holder: "vmm-7", ttlMs: 60_000, renew: undefined });
    await assert.rejects(
      removeImage(store, stateDir, imageId),
      (error) =>
        hasReason(error, "IMAGE_IN_USE") &&
        error.message.includes("vmm-7") &&
        error.facts["expires"] === new Date(lease.expiresAt).toISOString(),
    );
    assert.deepEqual(await names(stateDir), [imageId]);
    await store.releaseLease(lease.id);
    await removeImage(store, stateDir, imageId);
    assert.deepEqual(await names(stateDir), []);
  });

  test("on a full disk the files go first, and make room for the row to go", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const id = await publishOne(stateDir, store);
    const full = new BangerError("DISK_FULL", "no space left for the store", { op: "use store" });
    const rows = {
      condemnImage: (wanted: string) => store.condemnImage(wanted),
      deleteImage: async (wanted: string) => {
        if ((await names(stateDir)).length > 0) throw full;
        // Nobody comes to hold it while its files are gone and its row is not.
        await assert.rejects(
          store.acquireLease({ imageId: id, holder: "late", ttlMs: 1000, renew: undefined }),
          (error) => hasReason(error, "IMAGE_UNKNOWN"),
        );
        await store.deleteImage(wanted);
      },
    };
    assert.ok((await removeImage(rows, stateDir, id)) >= 8192);
    assert.equal(await store.imageCount(), 0);
    assert.deepEqual(await names(stateDir), []);
  });
});

describe("recover", () => {
  test("after a clean stop there is nothing to do", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const clean = {
      sweptFolders: [],
      orphanFolders: [],
      lostImages: [],
      interruptedPulls: [],
      resumablePulls: [],
      unknownNames: [],
    };
    assert.deepEqual(await recover(store, stateDir), clean);
    const id = await publishOne(stateDir, store);
    assert.deepEqual(await recover(store, stateDir), clean);
    assert.deepEqual(await names(stateDir), [id]);
  });

  test("a folder of somebody else's, whose ids look like ours, is left alone", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const id = newImageId();
    await mkdir(join(stateDir, "images", id), { recursive: true });
    await writeFile(join(stateDir, "images", id, "photo.jpg"), "theirs");
    const { orphanFolders, unknownNames } = await recover(store, stateDir);
    assert.deepEqual([orphanFolders, unknownNames], [[], [id]]);
    assert.equal(await readFile(join(stateDir, "images", id, "photo.jpg"), "utf8"), "theirs");
  });

  // One row for each moment at which a kill can come, and for what hands other than ours may do.
  const moments: readonly {
    readonly name: string;
    readonly make: (stateDir: string, store: Store, id: string) => Promise<void>;
    readonly report: "sweptFolders" | "orphanFolders" | "lostImages";
  }[] = [
    {
      name: "while building",
      make: async (stateDir, _store, id) => {
        await mkdir(join(stateDir, "images", `${id}.staging`, "modules"), { recursive: true });
        await writeFile(join(stateDir, "images", `${id}.staging`, "rootfs.ext4"), "half");
      },
      report: "sweptFolders",
    },
    {
      name: "after the rename, before the row",
      make: async (stateDir, _store, id) => {
        await mkdir(join(stateDir, "images", id), { recursive: true });
        await writeFile(join(stateDir, "images", id, "rootfs.ext4"), "whole");
        await writeFile(join(stateDir, "images", id, "image.json"), "{}");
      },
      report: "orphanFolders",
    },
    {
      name: "while removing, after the rename",
      make: async (stateDir, _store, id) => {
        await mkdir(join(stateDir, "images", `${id}.removing`), { recursive: true });
      },
      report: "sweptFolders",
    },
    {
      name: "somebody removed the folder",
      make: async (_stateDir, store, id) => store.insertImage(imageRecord({ id, name: "" })),
      report: "lostImages",
    },
    {
      name: "somebody removed the file system",
      make: async (stateDir, store, id) => {
        await store.insertImage(imageRecord({ id, name: "" }));
        await mkdir(join(stateDir, "images", id));
        await writeFile(join(stateDir, "images", id, "image.json"), "{}");
      },
      report: "lostImages",
    },
  ];

  for (const { name, make, report } of moments) {
    test(`${name}: the whole image stays, the other is gone, and again is the same`, async () => {
      await using state = await newState();
      const { stateDir, store } = state;
      const whole = await publishOne(stateDir, store);
      const id = newImageId();
      await make(stateDir, store, id);
      const found = await recover(store, stateDir);
      assert.equal(found[report].length, 1);
      assert.ok(found[report][0]?.startsWith(id));
      assert.deepEqual(await names(stateDir), [whole]);
      assert.deepEqual(await store.allImageIds(), new Set([whole]));
      const again = await recover(store, stateDir);
      assert.deepEqual(Object.values(again).flat(), []);
      assert.equal((await readFile(imagePaths(stateDir, whole).rootfs)).length, 8192);
    });
  }

  test("what is not ours is left alone and named, links are not followed", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const images = join(stateDir, "images");
    const outside = join(stateDir, "outside");
    await mkdir(images);
    await mkdir(outside);
    await writeFile(join(outside, "precious"), "");
    await mkdir(join(images, "lost+found"));
    await writeFile(join(images, "notes.staging"), "");
    const link = `${newImageId()}.staging`;
    await symlink(outside, join(images, link));
    const within = `${newImageId()}.staging`;
    await mkdir(join(images, within));
    await symlink(outside, join(images, within, "link"));
    const report = await recover(store, stateDir);
    assert.deepEqual([...report.unknownNames].sort(), [link, "lost+found", "notes.staging"].sort());
    assert.deepEqual(report.sweptFolders, [within]);
    assert.deepEqual(await readdir(outside), ["precious"]);
  });

  test("an unmounted images folder is refused, and no row is lost", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    await publishOne(stateDir, store);
    await rm(join(stateDir, "images"), { recursive: true });
    await assert.rejects(recover(store, stateDir), (error) => hasReason(error, "STATE_UNSAFE"));
    assert.equal(await store.imageCount(), 1);
  });

  test("so is an empty one, unless its marker says that it is the right one", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    await recover(store, stateDir);
    const id = await publishOne(stateDir, store);
    const images = join(stateDir, "images");
    await rename(images, `${images}-elsewhere`);
    await mkdir(images);
    await assert.rejects(
      recover(store, stateDir),
      (error) => hasReason(error, "STATE_UNSAFE") && error.hint.includes(join(images, markerName)),
    );
    assert.deepEqual(await store.allImageIds(), new Set([id]));
    await writeFile(join(images, markerName), "");
    assert.deepEqual((await recover(store, stateDir)).lostImages, [id]);
  });

  test("published images that no database knows are refused, and stay, also at the second try", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const ids = [await publishOne(stateDir, store), await publishOne(stateDir, store)];
    await recover(store, stateDir);
    await using fresh = await openStore(join(stateDir, "fresh.db"));
    for (let tries = 0; tries < 2; tries++) {
      await assert.rejects(
        recover(fresh, stateDir),
        (error) =>
          hasReason(error, "STATE_UNSAFE") &&
          error.message.includes("has 2 published images") &&
          error.hint.includes(`find ${join(stateDir, "images")} -mindepth 1 -delete`),
      );
    }
    assert.deepEqual(await names(stateDir), [...ids].sort());
    // What the hint says is a way out, and what a backup brings back is the other.
    assert.deepEqual((await recover(store, stateDir)).orphanFolders, []);
    await runFile("find", [join(stateDir, "images"), "-mindepth", "1", "-delete"]);
    assert.deepEqual((await recover(fresh, stateDir)).orphanFolders, []);
  });

  test("nor may a database of other images have them removed, or be emptied itself", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const id = await publishOne(stateDir, store);
    await recover(store, stateDir);
    await using other = await openStore(join(stateDir, "other.db"));
    await other.insertImage(imageRecord({ name: "" }));
    await assert.rejects(recover(other, stateDir), (error) => hasReason(error, "STATE_UNSAFE"));
    assert.deepEqual([await names(stateDir), await other.imageCount()], [[id], 1]);
  });

  test("the very first pull, killed between the folder's name and its row, is mended", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    await recover(store, stateDir);
    const pull = pullRecord();
    await store.insertPull(pull);
    const record = imageRecord();
    await using staging = await createStaging(record.id, { stateDir, readerGid: undefined });
    await writeFile(staging.rootfsPath, "rootfs");
    await staging.publish(record);
    const report = await recover(store, stateDir);
    assert.deepEqual([report.orphanFolders, report.interruptedPulls], [[record.id], [pull.id]]);
    assert.deepEqual(await names(stateDir), []);
  });

  test("images from before there were markers get theirs", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const id = await publishOne(stateDir, store);
    await recover(store, stateDir);
    assert.deepEqual((await readdir(join(stateDir, "images"))).sort(), [markerName, id].sort());
  });

  test("interrupted pulls are failed", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const pull = pullRecord();
    await store.insertPull(pull);
    assert.deepEqual((await recover(store, stateDir)).interruptedPulls, [pull.id]);
  });

  test("folders that were read-only are removed all the same", async () => {
    await using state = await newState();
    const { stateDir, store } = state;
    const folder = join(stateDir, "images", `${newImageId()}.staging`);
    await mkdir(join(folder, "modules"), { recursive: true });
    await writeFile(join(folder, "modules", "a.ko"), "");
    await chmod(join(folder, "modules"), 0o700);
    await chmod(join(folder, "modules", "a.ko"), 0o400);
    await recover(store, stateDir);
    assert.deepEqual(await names(stateDir), []);
  });
});
