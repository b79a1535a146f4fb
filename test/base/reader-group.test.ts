import assert from "node:assert/strict";
import { chmod, chown, stat } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { letPass } from "../../src/base/reader-group.ts";
import { nobody } from "../system/daemon-process.ts";

const [kvm, other] = [54_321, 54_322];

let dir: TempDir;
beforeEach(async () => {
  dir = await makeTempDir("banger-readers-");
});
afterEach(() => dir[Symbol.asyncDispose]());

async function shown(): Promise<string> {
  const { mode, gid } = await stat(dir.path);
  return `${(mode & 0o777).toString(8)} ${gid}`;
}

describe("a folder that a group may pass", () => {
  test("is made of any other, and shut again", async () => {
    for (const [mode, gid] of [
      [0o700, 0],
      [0o755, 0],
      [0o770, other],
      [0o710, other],
      [0o710, kvm],
    ] as const) {
      await chown(dir.path, 0, gid);
      await chmod(dir.path, mode);
      assert.equal(letPass(dir.path, kvm), true);
      assert.equal(await shown(), `710 ${kvm}`);
    }
    assert.equal(letPass(dir.path, undefined), true);
    assert.equal(await shown(), `700 ${kvm}`);
  });

  test("is shut where the group is not its owner's to give, even if another passed before", async () => {
    await chown(dir.path, nobody, nobody);
    await chmod(dir.path, 0o710);
    const module = join(import.meta.dirname, "..", "..", "src", "base", "reader-group.ts");
    const program = `const { letPass } = await import(${JSON.stringify(module)}); console.log(letPass(${JSON.stringify(dir.path)}, ${kvm}));`;
    const identity = { uid: nobody, gid: nobody, cwd: "/" };
    const args = ["--input-type=module", "-e", program];
    const { stdout } = await promisify(execFile)(process.execPath, args, identity);
    assert.equal(stdout.trim(), "false");
    assert.equal(await shown(), `700 ${nobody}`);
  });
});
