import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { parseJson } from "../../src/base/json.ts";
import { buildImage, noise, writeLayout } from "../fakes/registry/images.ts";
import { bufCurl } from "../system/buf-curl.ts";
import { runCli, startDaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

const context = { reason: "INTERNAL", op: "read output", subject: "output" } as const;

test("two images that share a layer: what differs between them, and what is large in one, by folder and layer", async () => {
  const base = await tarOf((put) => {
    put({ name: "usr/lib/big", mode: 0o644, mtime: new Date(1e12) }, noise(300_000));
    put({ name: "etc/same" }, "same\n");
    put({ name: "etc/mode", mode: 0o644, mtime: new Date(1e12) }, "m\n");
  });
  const upper = (mode: number, content: Buffer | string): Promise<Buffer> =>
    tarOf((put) => {
      put({ name: "etc/mode", mode, mtime: new Date(1e12) }, "m\n");
      put({ name: `opt/${mode.toString(8)}`, mtime: new Date(1e12) }, content);
    });
  await using daemon = await startDaemonProcess();
  const layout = join(daemon.home.folder, "layout");
  await writeLayout(layout, {
    one: buildImage({ layers: [base, await upper(0o600, noise(100_000, 2))] }),
    two: buildImage({ layers: [base, await upper(0o640, "small")] }),
  });
  for (const tag of ["one", "two"]) {
    const pulled = await runCli(
      daemon,
      "image",
      "pull",
      `oci:${layout}:${tag}`,
      "--name",
      tag,
      "--no-agents",
    );
    assert.equal(pulled.status, 0, pulled.stderr);
  }

  const diff = await runCli(daemon, "image", "diff", "one", "two");
  assert.equal(diff.status, 0, diff.stderr);
  assert.deepEqual(diff.stdout.trimEnd().split("\n"), [
    "~ etc/mode",
    "    mode     0600 → 0640",
    "- opt/600  97.7 KiB",
    "+ opt/640  5 B",
    "1 added, 1 removed, 1 changed",
  ]);
  const same = await runCli(daemon, "image", "diff", "one", "one");
  assert.equal(same.stdout, "no difference\n");
  const gone = await runCli(daemon, "image", "diff", "one", "three");
  assert.equal(gone.status, 3, gone.stderr);

  const usage = await runCli(daemon, "image", "du", "one", "--json");
  assert.equal(usage.status, 0, usage.stderr);
  const json = parseJson(Buffer.from(usage.stdout), context);
  const sizes = json
    .at("folders")
    .list()
    .map((one) => [one.at("path").text(), one.at("usage").at("contentBytes").text()]);
  assert.deepEqual(sizes, [
    ["usr", "300000"],
    ["opt", "100000"],
    ["etc", "7"],
  ]);
  const layers = json
    .at("layers")
    .list()
    .map((one) => one.at("usage").at("contentBytes").text());
  // The lower layer's etc/mode is hidden, and counts for nothing.
  assert.deepEqual(layers, ["300005", "100002"]);
  const text = await runCli(daemon, "image", "du", "one", "/usr/lib");
  assert.match(text.stdout, /^293 KiB in 2 inodes\n\n +SIZE +INODES +FILE\n293 KiB +1 +usr\/lib\/big\n/);
  for (const path of ["/none", "/etc/same"]) {
    assert.equal((await runCli(daemon, "image", "du", "one", path)).status, 3, path);
  }
  const wrong = await runCli(daemon, "image", "du", "one", "--limit", "0");
  assert.equal(wrong.status, 2, wrong.stderr);
  const { error } = await bufCurl(
    daemon,
    "-d",
    '{"before":"one","after":""}',
    "http://localhost/banger.image.v1.ImageService/DiffImages",
  );
  assert.deepEqual([error?.code, error?.reason], ["invalid_argument", "OPTION_INVALID"]);
});

test("what was injected is told apart from the image's own layers", async () => {
  await using daemon = await startDaemonProcess();
  const layout = join(daemon.home.folder, "layout");
  const layer = await tarOf((put) => put({ name: "etc/hello" }, "hello\n"));
  await writeLayout(layout, { "": buildImage({ layers: [layer] }) });
  const pulled = await runCli(daemon, "image", "pull", `oci:${layout}`, "--name", "agents");
  assert.equal(pulled.status, 0, pulled.stderr);
  const usage = await runCli(daemon, "image", "du", "agents");
  assert.match(usage.stdout, /^injected +[0-9.]+ [KM]iB +\d+$/m);
});
