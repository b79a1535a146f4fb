import assert from "node:assert/strict";
import { chmod, link, lstat, mkdir, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { writeSparseFile, type FilePiece } from "../../src/client/sparse-file.ts";

async function* pieces(): AsyncGenerator<FilePiece, void, undefined> {
  yield { offset: 4096, bytes: Buffer.from("new") };
}

const size = 8192;
const content = Buffer.concat([Buffer.alloc(4096), Buffer.from("new"), Buffer.alloc(4093)]);

test("a link to what is no file is left alone, as what it leads to is", async () => {
  await using folder = await makeTempDir("banger-sparse-");
  const at = (name: string): string => join(folder.path, name);
  await mkdir(at("folder"));
  const targets = { null: "/dev/null", stdout: "/proc/self/fd/1", folder: at("folder"), loop: at("loop") };
  for (const [name, target] of Object.entries(targets)) {
    const path = at(`to-${name}`);
    await symlink(name === "loop" ? path : target, path);
    await assert.rejects(writeSparseFile(path, size, pieces()), name);
    assert.ok((await lstat(path)).isSymbolicLink(), name);
  }
  await assert.rejects(writeSparseFile("/dev/null", size, pieces()), (error: unknown) =>
    hasReason(error, "OPTION_INVALID"),
  );
  await assert.rejects(
    writeSparseFile(at("none/file"), size, pieces()),
    (error: unknown) =>
      hasReason(error, "FILESYSTEM_ERROR") && error.message.endsWith(`there is no folder ${at("none")}`),
  );
  assert.deepEqual(
    (await readdir(folder.path)).toSorted(),
    ["folder", ...Object.keys(targets).map((name) => `to-${name}`)].toSorted(),
  );
});

test("what takes a file's place lets in nobody else, and leaves its other names alone", async () => {
  await using folder = await makeTempDir("banger-sparse-");
  const at = (name: string): string => join(folder.path, name);
  await writeFile(at("file"), "old");
  await chmod(at("file"), 0o600);
  await link(at("file"), at("other-name"));
  await symlink("other-name", at("link"));
  await symlink("nowhere", at("dangling"));
  const longest = "長".repeat(85);
  for (const name of ["file", "link", "dangling", longest]) {
    await writeSparseFile(at(name), size, pieces());
    assert.deepEqual(await readFile(at(name)), content);
    assert.ok((await lstat(at(name))).isFile(), name);
  }
  assert.equal((await stat(at("file"))).mode & 0o777, 0o600);
  assert.equal((await stat(at("link"))).mode & 0o777, 0o600);
  assert.equal(await readFile(at("other-name"), "utf8"), "old");
});
