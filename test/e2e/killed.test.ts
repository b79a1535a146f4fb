import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { madeImage, shapedImage } from "../../bench/images.ts";
import { makeDaemonHome, namesBelow, runCli, startDaemonProcess } from "../system/daemon-process.ts";
import { runProgram } from "../system/program.ts";
import { followPull } from "../system/pull-events.ts";

/** What is under way once this event has come: the stage in which the daemon is killed. */
const killedIn: ReadonlyMap<string, string> = new Map([
  ["resolved", "fetch"],
  ["layerFetched", "scan"],
  ["layerScanned", "scan, or flatten"],
  ["flattened", "build"],
  ["stageProgress", "build, half way"],
  ["ext4Built", "own"],
  ["ownershipApplied", "verify"],
  ["verified", "publish"],
]);

const folder = mkdtempSync(join(tmpdir(), "banger-killed-"));
let layout = "";
before(async () => {
  const shape = { name: "image", layers: 3, entriesPerLayer: 700, meanFileBytes: 20_000, overwritten: 0.1 };
  layout = await madeImage(shapedImage("three layers", shape), folder);
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const [event, stage] of killedIn) {
  test(`killed in ${stage} (after ${event}), the next daemon finds nothing half done, and goes on`, async () => {
    await using home = await makeDaemonHome();
    const first = await startDaemonProcess({ home });
    let killed: Promise<void> | undefined;
    const broken = await followPull(home, [`oci:${layout}:latest`], ({ kind }) => {
      if (kind === event) killed ??= first.kill();
    });
    assert.ok(killed !== undefined, `the event ${event} came`);
    await killed;
    assert.notEqual(broken.status, 0);
    const fetched = broken.events.filter(({ kind }) => kind === "layerFetched");
    assert.ok(!broken.events.some(({ kind }) => kind === "published"));

    await using second = await startDaemonProcess({ home });
    const left = namesBelow(join(home.state, "images"));
    assert.deepEqual(left, [], "no folder in images/");
    const images = await runCli(second, "image", "ls", "--json");
    assert.deepEqual([images.status, JSON.parse(images.stdout)], [0, { images: [] }], "no row");
    const pulls = await runCli(second, "pull", "ls", "--json");
    assert.equal(pulls.status, 0);
    assert.doesNotMatch(pulls.stdout, /PULL_STATE_(RUNNING|WAITING)/);
    assert.equal(
      namesBelow(home.temp).length,
      1,
      "in the temporary folder, only the living daemon's own, empty",
    );

    const again = await followPull(home, [`oci:${layout}:latest`]);
    assert.equal(again.status, 0, JSON.stringify(again.events.at(-1)));
    const cached = again.events.filter(
      ({ kind, body }) => kind === "layerFetched" && body["cached"] === true,
    );
    assert.ok(
      cached.length >= fetched.length,
      `${fetched.length} blobs were there, ${cached.length} were used`,
    );
    const published = again.events.at(-1);
    assert.equal(published?.kind, "published");
    const image = published.body["image"];
    assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image);
    runProgram("e2fsck", ["-fn", String(image.rootfsPath)]);
  });
}
