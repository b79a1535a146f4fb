import assert from "node:assert/strict";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openChannel } from "../../src/client/channel.ts";
import { buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";
import { litter, openFiles, processesWith } from "./aftermath.ts";
import { campaignFigures, runCampaign, type RunReport } from "./campaign.ts";

/** A part of the seeds that `node test/faults/main.ts` runs. */
const seeds = { first: 1, count: 10 };

test(`${seeds.count} runs of faults leave nothing behind that the next start does not mend`, async (t) => {
  const reports: RunReport[] = [];
  for await (const report of runCampaign(seeds.first, seeds.count)) reports.push(report);
  for (const line of campaignFigures(reports)) t.diagnostic(line);
  assert.equal(reports.length, seeds.count);
  assert.deepEqual(
    reports.flatMap(({ scenario, findings }) =>
      findings.map((finding) => `seed ${scenario.seed}: ${finding}`),
    ),
    [],
  );
  assert.ok(reports.filter(({ struck }) => struck).length >= seeds.count / 2, "faults struck");
});

async function daemonWithImage(registry: FakeRegistry): Promise<{ daemon: DaemonProcess; id: string }> {
  const layer = await tarOf((put) => put({ name: "file", mode: 0o644 }, "the file's content"));
  registry.add("team/app", "1", buildImage({ layers: [layer] }));
  const daemon = await startDaemonProcess({ env: { FAULT_RUN: "planted" } });
  const pulled = await runCli(
    daemon,
    "image",
    "pull",
    `${registry.host}/team/app:1`,
    "--no-agents",
    "--quiet",
  );
  assert.equal(pulled.status, 0, pulled.stderr);
  return { daemon, id: pulled.stdout.trim() };
}

const planted: readonly (readonly [string, RegExp, (daemon: DaemonProcess, id: string) => void])[] = [
  [
    "a folder without a row",
    /has no row/,
    ({ home }) => mkdirSync(join(home.state, "images", "0".repeat(24))),
  ],
  [
    "a row without a folder",
    /has no folder/,
    ({ home }, id) => rmSync(join(home.state, "images", id), { recursive: true }),
  ],
  [
    "a folder half built",
    /left in images/,
    ({ home }) => mkdirSync(join(home.state, "images", `${"0".repeat(24)}.staging`)),
  ],
  [
    "a file system cut short",
    /can't be verified|differs/,
    ({ home }, id) => truncateSync(join(home.state, "images", id, "rootfs.ext4"), 100_000),
  ],
  [
    "one changed byte of a file",
    /differs in content/,
    ({ home }, id) => {
      const rootfs = join(home.state, "images", id, "rootfs.ext4");
      const at = readFileSync(rootfs).indexOf("the file's content");
      assert.ok(at > 0);
      const fd = openSync(rootfs, "r+");
      writeSync(fd, "T", at);
      closeSync(fd);
    },
  ],
  [
    "a temporary file",
    /temporary folder/,
    ({ home }) => writeFileSync(join(home.temp, readdirSync(home.temp)[0] ?? "", "left"), "x"),
  ],
  [
    "a stray file of the cache",
    /among the blobs/,
    ({ home }) => writeFileSync(join(home.cache, "oci/blobs/sha256/x"), ""),
  ],
];

for (const [what, expected, plant] of planted) {
  test(`the judge sees ${what}`, async () => {
    await using registry = await FakeRegistry.start();
    const { daemon, id } = await daemonWithImage(registry);
    await using _daemon = daemon;
    using channel = openChannel(daemon.home.socket);
    assert.deepEqual(await litter(daemon.home, channel), []);
    plant(daemon, id);
    assert.match((await litter(daemon.home, channel)).join("\n"), expected);
  });
}

test("the judge sees what is open and what runs", async () => {
  await using daemon = await startDaemonProcess({ env: { FAULT_RUN: "planted-open" } });
  assert.equal(processesWith("FAULT_RUN=planted-open").length, 1);
  assert.equal(processesWith("FAULT_RUN=nobody").length, 0);
  const fd = openSync(join(daemon.home.folder, "open"), "w");
  assert.deepEqual(openFiles(process.pid, daemon.home), [join(daemon.home.folder, "open")]);
  closeSync(fd);
});
