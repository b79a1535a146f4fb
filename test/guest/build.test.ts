import assert from "node:assert/strict";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { buildPrograms, guest, hasProgram, runProgram, temporaryFolder } from "./programs.ts";

const programs = ["banger-init", "banger-vsock-agent", "vsock-get"];
const folder = temporaryFolder();
const built = join(folder, "built");
buildPrograms(built);

test("the three programs are built without a word", () => {
  assert.deepEqual(readdirSync(built).toSorted(), programs);
});

test("they are static, stripped, hardened, and small where musl-gcc made them", () => {
  for (const program of programs) {
    const path = join(built, program);
    const segments = runProgram("readelf", ["-lW", path]).stdout;
    assert.doesNotMatch(segments, /INTERP/);
    assert.match(segments, /GNU_RELRO/);
    assert.match(segments, /GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+RW\s/);
    assert.doesNotMatch(runProgram("readelf", ["-dW", path]).stdout, /NEEDED|BIND_NOW.*missing/);
    assert.doesNotMatch(
      runProgram("readelf", ["-SW", path]).stdout,
      /\.symtab|\.debug|\.note\.gnu\.build-id/,
    );
    if (hasProgram("musl-gcc", ["--version"])) assert.ok(statSync(path).size < 200_000, program);
  }
});

test("they tell nothing of the machine that built them", () => {
  for (const program of programs)
    assert.equal(readFileSync(join(built, program)).includes(guest.replace(/\/guest$/, "")), false);
});

test("a second build gives the same bytes", () => {
  const again = join(folder, "again");
  buildPrograms(again);
  for (const program of programs)
    assert.ok(readFileSync(join(built, program)).equals(readFileSync(join(again, program))), program);
});

test("gcc alone builds them too", () => {
  const plain = join(folder, "plain");
  const ran = runProgram(join(guest, "build.sh"), [plain], { CC: "gcc" });
  assert.equal(ran.stderr, "");
  assert.equal(ran.status, 0);
  assert.equal(runProgram(join(plain, "banger-vsock-agent"), ["--version"]).status, 0);
  assert.equal(runProgram(join(plain, "banger-init"), []).status, 2);
});

test("a compiler that links dynamically fails the build", () => {
  const compiler = join(folder, "dynamic-gcc");
  writeFileSync(
    compiler,
    '#!/bin/sh\nfor arg do shift; case $arg in -static*) ;; *) set -- "$@" "$arg" ;; esac; done\nexec gcc "$@"\n',
    { mode: 0o755 },
  );
  const ran = runProgram(join(guest, "build.sh"), [join(folder, "dynamic")], { CC: compiler });
  assert.equal(ran.status, 1);
  assert.match(ran.stderr, /banger-vsock-agent is not static/);
  assert.deepEqual(readdirSync(join(folder, "dynamic")), []);
});

test("the agent says the package's version", () => {
  const manifest: unknown = JSON.parse(readFileSync(join(guest, "../package.json"), "utf8"));
  assert.ok(typeof manifest === "object" && manifest !== null && "version" in manifest);
  assert.equal(
    runProgram(join(built, "banger-vsock-agent"), ["--version"]).stdout,
    `${String(manifest.version)}\n`,
  );
});

test("the scripts are sound", () => {
  const scripts = ["build.sh", "fuzz.sh", "network-bootstrap", "first-boot"].map((name) => join(guest, name));
  const ran = runProgram("shellcheck", scripts);
  assert.equal(ran.stdout, "");
  assert.equal(ran.status, 0);
});

test("systemd understands every line of the units", () => {
  const units = readdirSync(join(guest, "units")).map((name) => join(guest, "units", name));
  const complaints = runProgram("systemd-analyze", ["verify", "--man=no", ...units])
    .stderr.split("\n")
    .filter((line) => line !== "" && !line.includes("is not executable"));
  assert.deepEqual(complaints, []);
});
