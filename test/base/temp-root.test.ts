import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { openTempRoot } from "../../src/base/temp-root.ts";

test("the next daemon of a state folder removes what a killed one left, and nothing else", async () => {
  await using folder = await makeTempDir("banger-test-");
  const [states, parent] = [join(folder.path, "states"), join(folder.path, "tmp")];
  for (const path of [states, join(states, "a"), join(states, "b"), parent]) mkdirSync(path);
  const killed = await openTempRoot(parent, join(states, "a"));
  const other = await openTempRoot(parent, join(states, "b"));
  writeFileSync(join(killed.path, "litter"), "x");
  writeFileSync(join(parent, "somebody's"), "x");
  const bait = `${killed.path.slice(0, -6)}linked`;
  symlinkSync(other.path, bait);

  await using next = await openTempRoot(parent, join(states, "a"));
  assert.ok(!existsSync(killed.path));
  assert.ok(existsSync(other.path));
  assert.deepEqual(
    readdirSync(parent).toSorted(),
    [bait, other.path, next.path, "somebody's"].map((path) => path.replace(`${parent}/`, "")).toSorted(),
  );
});
