import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { startBanger } from "./run-banger.ts";

test("Ctrl-C ends the wait for credentials on standard input", async () => {
  await using place = await makeTempDir("banger-creds-");
  const socketPath = join(place.path, "s.sock");
  await using server = createServer((socket) => socket.on("error", () => {})).listen(socketPath);
  await once(server, "listening");
  const connected = once(server, "connection");
  const args = ["--socket", socketPath, "image", "pull", "debian", "--creds-file", "-"];
  const { child, ended } = startBanger(args, {}, "open");
  // It heeds signals before it connects.
  await connected;
  child.kill("SIGINT");
  const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
  const { code, stderr } = await ended;
  clearTimeout(late);
  assert.equal(code, 130, stderr);
  assert.match(stderr, /^banger: interrupted/);
});
