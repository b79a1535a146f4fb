import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { bufCurl } from "../system/buf-curl.ts";
import { startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { writeDebianLayout } from "../system/debian-image.ts";

async function curl(daemon: DaemonProcess, ...args: readonly string[]): Promise<string> {
  const { stdout, error } = await bufCurl(daemon, ...args);
  assert.equal(error, undefined);
  return stdout;
}

test("buf curl lists the services", async () => {
  await using daemon = await startDaemonProcess();
  const services = (await curl(daemon, "--list-services", "http://localhost")).split("\n").sort();
  assert.deepEqual(services, [
    "banger.image.v1.CacheService",
    "banger.image.v1.DaemonService",
    "banger.image.v1.ImageService",
    "banger.image.v1.KernelService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
  ]);
  const health = await curl(daemon, "http://localhost/grpc.health.v1.Health/Check");
  assert.match(health, /SERVING/);
});

test("buf curl pulls Debian, and every milestone comes once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "banger-grpc-"));
  try {
    const layout = join(folder, "layout");
    await writeDebianLayout(layout);
    await using daemon = await startDaemonProcess();
    const request = JSON.stringify({ reference: `oci:${layout}:latest`, options: { noAgents: true } });
    const output = await curl(
      daemon,
      "-d",
      request,
      "http://localhost/banger.image.v1.ImageService/PullImage",
    );
    const count = (name: string): number =>
      output.match(new RegExp(`^    "${name}": \\{`, "gm"))?.length ?? 0;
    const once = [
      "resolved",
      "kernelResolved",
      "flattened",
      "ext4Built",
      "ownershipApplied",
      "agentsInjected",
    ];
    for (const name of [...once, "verified", "bootArtifactsStaged", "published"])
      assert.equal(count(name), 1, name);
    for (const name of ["layerFetched", "layerScanned"]) assert.equal(count(name), 3, name);
    assert.match(output, /"agentsInjected": \{\s*"skipped": true/);
    assert.ok(output.trimEnd().endsWith("}"));
    assert.ok(output.lastIndexOf('"published"') > output.lastIndexOf('"verified"'), "published comes last");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
