import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { makeTempDir } from "../../src/base/files.ts";

test("a full disk is DISK_FULL, and the room is given back", async () => {
  await using folder = await makeTempDir("banger-full-");
  // A mount namespace of its own, so that the tmpfs goes with the process; a user namespace where we are not root.
  const namespaces = process.getuid?.() === 0 ? ["-m"] : ["-rm"];
  const script = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" "$1"';
  const child = join(import.meta.dirname, "fill-disk.ts");
  const args = ["sh", "-c", script, "sh", folder.path, process.execPath, child];
  const output = execFileSync("unshare", [...namespaces, ...args], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(output), { reason: "DISK_FULL", hint: true, ingest: [], smallFits: true });
});
