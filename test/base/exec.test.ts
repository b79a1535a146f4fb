import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, hasReason, BangerError } from "../../src/base/error.ts";
import { run, type RunOptions } from "../../src/base/exec.ts";

const options = (more: Partial<RunOptions> = {}): RunOptions => ({
  op: "test",
  signal: new AbortController().signal,
  timeoutMs: 60_000,
  maxOutputBytes: 1 << 20,
  ...more,
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("any exit code is a result, and output is bytes", async () => {
  const result = await run("sh", ["-c", "printf '\\377a'; echo b >&2; exit 3"], options());
  assert.equal(result.exitCode, 3);
  assert.deepEqual(result.stdout, Buffer.from([0xff, 0x61]));
  assert.equal(result.stderr.toString(), "b\n");
});

test("input is handed over, and the environment is not", async () => {
  process.env["BANGER_TEST_SECRET"] = "s3cret";
  try {
    const result = await run(
      "sh",
      ["-c", "cat; echo $A$BANGER_TEST_SECRET"],
      options({ input: "in ", env: { A: "x" } }),
    );
    assert.equal(result.stdout.toString(), "in x\n");
  } finally {
    delete process.env["BANGER_TEST_SECRET"];
  }
});

test("output that is not kept may be longer than what is, and comes whole", async () => {
  let bytes = 0;
  const result = await run(
    "head",
    ["-c", "5000000", "/dev/zero"],
    options({ maxOutputBytes: 1000, keepStdout: false, onStdout: (piece) => void (bytes += piece.length) }),
  );
  assert.equal(result.exitCode, 0);
  assert.equal(bytes, 5_000_000);
  assert.equal(result.stdout.length, 0);
});

test("output that is not kept: a program that is not there, and a cancel, end it too", async () => {
  const missing = run("banger-no-such-program", [], options({ keepStdout: false }));
  await assert.rejects(missing, (error) => error instanceof BangerError && errnoOf(error.cause) === "ENOENT");
  const cancel = new AbortController();
  const endless = run(
    "cat",
    ["/dev/zero"],
    options({ signal: cancel.signal, keepStdout: false, onStdout: () => cancel.abort() }),
  );
  await assert.rejects(endless, (error) => hasReason(error, "CANCELLED"));
});

test("a program that is not there is told from one that fails", async () => {
  await assert.rejects(run("banger-no-such-program", [], options()), (error) => {
    assert.ok(error instanceof BangerError);
    assert.equal(error.reason, "INTERNAL");
    assert.equal(errnoOf(error.cause), "ENOENT");
    return true;
  });
});

test("too much output and too much time end it", async () => {
  await assert.rejects(run("yes", [], options({ maxOutputBytes: 1000 })), /printed more than 1000 bytes/);
  await assert.rejects(run("sleep", ["60"], options({ timeoutMs: 50 })), /ran longer than 0.05 s/);
});

test("aborting ends a program that ignores SIGTERM", async () => {
  const folder = mkdtempSync(join(tmpdir(), "banger-exec-"));
  try {
    const script = join(folder, "deaf");
    writeFileSync(script, "#!/bin/sh\ntrap '' TERM\necho $$\nwhile :; do sleep 0.05; done\n", {
      mode: 0o755,
    });
    const controller = new AbortController();
    let pid = 0;
    const onStdout = (piece: Uint8Array): void => {
      pid = Number(Buffer.from(piece).toString());
      controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
    };
    await assert.rejects(run(script, [], options({ signal: controller.signal, onStdout })), (error) =>
      hasReason(error, "CANCELLED"),
    );
    assert.ok(pid > 0);
    for (let tries = 0; isAlive(pid) && tries < 100; tries++) await sleep(10);
    assert.ok(!isAlive(pid), "it is gone");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a signal that is aborted already starts nothing", async () => {
  await assert.rejects(run("true", [], options({ signal: AbortSignal.abort() })), (error) =>
    hasReason(error, "CANCELLED"),
  );
});
