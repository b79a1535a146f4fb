import assert from "node:assert/strict";
import { writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { initConf, type ProcessConfig } from "../../src/guest/init-conf.ts";
import { noProcess } from "./guest-layer.ts";
import { buildPrograms, runProgram, temporaryFolder } from "./programs.ts";

const folder = temporaryFolder();
let roots = 0;
before(() => buildPrograms(folder));

/** What the guest's own reader makes of it. */
function readBack(config: Partial<ProcessConfig>): Readonly<Record<string, unknown>> {
  const root = join(folder, String(roots++));
  mkdirSync(join(root, "etc/banger"), { recursive: true });
  writeFileSync(join(root, "etc/banger/init.conf"), initConf({ ...noProcess, ...config }));
  const ran = runProgram(join(folder, "banger-init"), ["--check", root]);
  assert.equal(ran.status, 0, ran.stderr);
  const value: unknown = JSON.parse(Buffer.from(ran.stdout, "latin1").toString("utf8"));
  assert.ok(typeof value === "object" && value !== null);
  return { ...value };
}

test("the guest runs what the config says", () => {
  const { argv, env, dir, uid, gid, stop } = readBack({
    entrypoint: ["/bin/app", "", "grüß\ndich"],
    cmd: ["--x=y z"],
    env: ["A=1", "EMPTY=", "B==\n"],
    workingDir: "/srv/app",
    user: "7:8",
    stopSignal: "SIGQUIT",
  });
  assert.deepEqual(argv, ["/bin/app", "", "grüß\ndich", "--x=y z"]);
  assert.ok(Array.isArray(env));
  for (const variable of ["A=1", "EMPTY=", "B==\n"]) assert.ok(env.includes(variable), variable);
  assert.deepEqual([dir, uid, gid, stop], ["/srv/app", 7, 8, 3]);
});

test("what is not said takes the guest's default, and so does a signal that is none", () => {
  const { dir, uid, stop } = readBack({ cmd: ["x"] });
  assert.deepEqual([dir, uid, stop], ["/", 0, 15]);
  assert.equal(readBack({ cmd: ["x"], workingDir: "app" })["dir"], "/app");
  const signals: readonly (readonly [string, number])[] = [
    ["INT", 2],
    ["9", 9],
    ["64", 64],
    ["SIGRTMIN+3", 37],
    ["RTMAX-1", 63],
    ["SIGSTKFLT", 16],
    ["SIGNONE", 15],
    ["0", 15],
    ["65", 15],
    ["sigint", 15],
    ["SIGRTMIN+99", 15],
    ["SIGRTMIN-1", 15],
    ["SIGPOLL", 15],
  ];
  for (const [stopSignal, number] of signals)
    assert.equal(readBack({ cmd: ["x"], stopSignal })["stop"], number, stopSignal);
});

test("what no process can be started with is refused", () => {
  const impossible: readonly Partial<ProcessConfig>[] = [
    { cmd: ["a\0b"] },
    { env: ["A=\0"] },
    { cmd: Array.from({ length: 4097 }, () => "x") },
    { env: Array.from({ length: 4097 }, () => "A=1") },
    { env: [`A=${"x".repeat(2 ** 21)}`] },
  ];
  for (const config of impossible) {
    assert.throws(
      () => initConf({ ...noProcess, ...config }),
      (error) => hasReason(error, "MANIFEST_INVALID") && /no-agents/.test(error.hint),
    );
  }
});
