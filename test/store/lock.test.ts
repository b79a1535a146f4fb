import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { lockState } from "../../src/store/lock.ts";

let dir: TempDir;
const children: ChildProcess[] = [];
before(async () => {
  dir = await makeTempDir("banger-lock-");
});
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await dir[Symbol.asyncDispose]();
});

const holderProgram = `
  import { lockState } from ${JSON.stringify(join(import.meta.dirname, "../../src/store/lock.ts"))};
  globalThis.lock = await lockState(process.argv[1], { pid: process.pid, socketPath: "/run/other.sock" });
  process.stdout.write("locked");
  setInterval(() => {}, 1000);
`;

async function lockElsewhere(stateDir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", holderProgram, stateDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  assert.ok(child.stdout);
  await once(child.stdout, "data");
  return child;
}

const me = { pid: process.pid, socketPath: "/run/me.sock" };

describe("the state folder's lock", () => {
  test("a lock is one file, whatever becomes of its holder", async () => {
    const stateDir = await mkdtemp(join(dir.path, "one-"));
    const child = await lockElsewhere(stateDir);
    assert.deepEqual(readdirSync(stateDir).sort(), ["daemon.json", "daemon.lock"]);
    child.kill("SIGKILL");
  });

  test("a second process is told who holds it", async () => {
    const stateDir = await mkdtemp(join(dir.path, "a-"));
    const child = await lockElsewhere(stateDir);
    await assert.rejects(
      lockState(stateDir, me),
      (error) =>
        hasReason(error, "STATE_LOCKED") &&
        error.facts["pid"] === String(child.pid) &&
        error.message.includes("/run/other.sock"),
    );
  });

  test("SIGKILL frees it", async () => {
    const stateDir = await mkdtemp(join(dir.path, "b-"));
    const child = await lockElsewhere(stateDir);
    await assert.rejects(lockState(stateDir, me), (error) => hasReason(error, "STATE_LOCKED"));
    child.kill("SIGKILL");
    await once(child, "exit");
    await using held = await lockState(stateDir, me);
    assert.ok(held);
    await assert.rejects(lockState(stateDir, me), (error) => hasReason(error, "STATE_LOCKED"));
  });

  test("disposing frees it, twice is once, and another folder is another lock", async () => {
    const stateDir = await mkdtemp(join(dir.path, "c-"));
    const lock = await lockState(stateDir, me);
    await using other = await lockState(await mkdtemp(join(dir.path, "d-")), me);
    await lock[Symbol.asyncDispose]();
    await using again = await lockState(stateDir, me);
    assert.notEqual(again, other);
    await lock[Symbol.asyncDispose]();
    await assert.rejects(
      lockState(stateDir, me),
      (error) => hasReason(error, "STATE_LOCKED") && error.facts["pid"] === String(process.pid),
    );
  });

  test("a folder that can't be written is an error of its own", async () => {
    await assert.rejects(lockState(join(dir.path, "nowhere"), me), (error) =>
      hasReason(error, "STORE_FAILED", "INTERNAL"),
    );
  });
});
