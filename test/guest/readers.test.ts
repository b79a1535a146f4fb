import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { guest, runProgram, temporaryFolder } from "./programs.ts";

test("the C readers hold what they promise, under the sanitizers", () => {
  const program = join(temporaryFolder(), "readers");
  const sources = [
    "answers.c",
    "http.c",
    "info.c",
    "ports.c",
    "inet.c",
    "init-conf.c",
    "init-modules.c",
    "init-mounts.c",
    "init-network.c",
    "kernel-parameter.c",
    "text.c",
  ].map((name) => join(guest, name));
  const flags = ["-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror"];
  const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  const compiled = runProgram("gcc", [
    ...flags,
    ...sanitizers,
    "-o",
    program,
    join(import.meta.dirname, "readers.c"),
    ...sources,
  ]);
  assert.equal(compiled.stderr, "");
  assert.equal(compiled.status, 0);
  const ran = runProgram(program, []);
  assert.equal(ran.stderr, "");
  assert.equal(ran.status, 0);
});
