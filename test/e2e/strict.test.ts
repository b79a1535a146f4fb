import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { file, tar } from "../layers/tar-builder.ts";
import { leftAtRest } from "../system/at-rest.ts";
import { namesBelow, runCli, startDaemonProcess } from "../system/daemon-process.ts";

test("with --strict, a loss refuses the image; without, it is listed", async () => {
  await using registry = await FakeRegistry.start();
  const lossy = file("lossy", "", { xattrs: { "user.large": "x".repeat(5000), "os2.note": "x" } });
  registry.add("app", "1", buildImage({ layers: [tar(lossy)] }));
  await using daemon = await startDaemonProcess();
  const reference = `${registry.host}/app:1`;
  const strict = await runCli(daemon, "image", "pull", "--strict", reference);
  assert.equal(strict.status, 1, strict.stderr);
  assert.match(strict.stderr, /could not hold everything the image says: 2 losses/);
  assert.deepEqual(await leftAtRest(() => namesBelow(join(daemon.home.state, "images"))), []);

  const pulled = await runCli(daemon, "image", "pull", "--quiet", reference);
  assert.equal(pulled.status, 0, pulled.stderr);
  const inspected = await runCli(daemon, "image", "inspect", "--json", pulled.stdout.trim());
  assert.match(inspected.stdout, /"XATTR_TOO_LARGE"/);
  assert.match(inspected.stdout, /"XATTR_NAMESPACE"/);
});
