import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { FakeCollector } from "../service/tracing/collector.ts";
import { makeDaemonHome, runCli, startDaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

/** As a collector gets it. */
interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
  readonly status?: { readonly message: string };
}

let image: FakeImage;
before(async () => {
  const files = [0, 1].map((at) => ({ name: `file${at}`, content: noise(1 << 20, at + 1) }));
  image = buildImage({
    layers: await Promise.all(files.map((file) => tarOf((put) => put({ name: file.name }, file.content)))),
  });
});

/** Spans of one trace, as `parent/child`, sorted. */
function pathsOf(body: unknown): { readonly spans: readonly SentSpan[]; readonly paths: readonly string[] } {
  const sent: { resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[] } = JSON.parse(JSON.stringify(body));
  const spans = sent.resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const pathOf = (span: SentSpan): string => {
    const parent = byId.get(span.parentSpanId ?? "");
    return parent === undefined ? span.name : `${pathOf(parent)}/${span.name}`;
  };
  return { spans, paths: spans.map(pathOf).sort() };
}

test("a pull is seen in figures, in a trace and in the log, and its credentials in none", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.requireAuth({ scheme: "basic", user: { name: "me", password: "hunter2" } });
  registry.fault({ path: /blobs/, method: "GET", skip: 1, times: 1 }, { cutAfter: 300_000 });
  await using collector = await FakeCollector.start();
  await using home = await makeDaemonHome();
  const config = join(home.folder, "config.toml");
  writeFileSync(
    config,
    `[log]\nlevel = "debug"\nformat = "json"\n[metrics]\nlisten = "127.0.0.1:0"\n[tracing]\nendpoint = "${collector.endpoint}"\n`,
  );
  await using daemon = await startDaemonProcess({ home, env: { BANGER_CONFIG: config } });
  const creds = join(home.folder, "creds");
  writeFileSync(creds, "me:hunter2\n");
  const reference = `${registry.host}/team/app:1.0`;
  const pull = (name: string) =>
    runCli(
      daemon,
      "image",
      "pull",
      `${registry.host}/team/${name}:1.0`,
      "--no-agents",
      "--creds-file",
      creds,
    );
  const good = await pull("app");
  assert.equal(good.status, 0, good.stderr);
  assert.equal((await pull("none")).status, 3);
  assert.equal((await runCli(daemon, "image", "ls")).status, 0);
  await collector.heard(2);

  const lines = daemon
    .log()
    .trim()
    .split("\n")
    .map((line): Record<string, unknown> => JSON.parse(line));
  const page = await (
    await fetch(String(lines.find(({ event }) => event === "metrics")?.["address"]))
  ).text();
  assert.match(page, /^banger_pulls_total\{outcome="published"\} 1$/m);
  assert.match(page, /^banger_pulls_total\{outcome="failed"\} 1$/m);
  assert.match(page, /^banger_pulls_active 0$/m);
  assert.match(page, /^banger_images 1$/m);
  assert.match(page, /^banger_stage_duration_seconds_count\{stage="build"\} 1$/m);
  const calls = 'service="banger.image.v1.ImageService",method=';
  for (const line of [
    `banger_streams_total{${calls}"PullImage",code="OK"} 1`,
    `banger_streams_total{${calls}"PullImage",code="NOT_FOUND"} 1`,
    `banger_call_duration_seconds_count{${calls}"ListImages",code="OK"} 1`,
  ])
    assert.ok(page.split("\n").includes(line), `${line} in ${page}`);
  const figure = (name: string): number =>
    Number(
      page
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")[1],
    );
  assert.ok(figure('banger_layer_bytes_total{from="source"}') > 2 << 20);
  assert.ok(figure('banger_layer_bytes_total{from="resumed"}') > 0, page);
  assert.ok(figure("banger_cache_bytes") > 2 << 20, page);
  assert.ok(figure("process_resident_memory_bytes") > 1 << 20);

  const { spans, paths } = pathsOf(collector.bodies[0]);
  assert.deepEqual(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  for (const path of [
    "pull",
    "pull/fetch",
    "pull/fetch/fetch layer",
    "pull/scan/scan layer",
    "pull/build",
    "pull/verify",
  ])
    assert.ok(paths.includes(path), `${path} in ${paths.join(" ")}`);
  assert.equal(paths.filter((path) => path === "pull/fetch/fetch layer").length, 2);
  for (const { startTimeUnixNano, endTimeUnixNano } of spans)
    assert.ok(BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano));
  const id = spans[0]?.attributes.find(({ key }) => key === "banger.pull.id")?.value.stringValue;
  assert.match(pathsOf(collector.bodies[1]).spans[0]?.status?.message ?? "", /none/);

  const ofPull = lines.filter((line) => line["pull"] === id).map(({ event }) => event);
  assert.deepEqual([ofPull[0], ofPull.at(-1)], ["pull begins", "pull published"]);
  assert.ok(ofPull.includes("pull tries again") && ofPull.includes("pull ext4Built"), ofPull.join(", "));
  assert.ok(lines.every((line) => !String(line["event"]).startsWith("pull ") || line["pull"] !== undefined));

  for (const said of [daemon.log(), page, JSON.stringify(collector.bodies)]) {
    assert.doesNotMatch(said, /hunter2|bWU6/);
  }
  assert.match(daemon.log(), new RegExp(reference));
});

test("a collector that is away fails no pull", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  await using home = await makeDaemonHome();
  const config = join(home.folder, "config.toml");
  const gone = await FakeCollector.start();
  writeFileSync(config, `[tracing]\nendpoint = "${gone.endpoint}"\n`);
  await gone[Symbol.asyncDispose]();
  await using daemon = await startDaemonProcess({ home, env: { BANGER_CONFIG: config } });
  const { status, stderr } = await runCli(
    daemon,
    "image",
    "pull",
    `${registry.host}/team/app:1.0`,
    "--no-agents",
  );
  assert.equal(status, 0, stderr);
  assert.equal(await daemon.stop(), 0);
  assert.match(daemon.log(), /warn traces can't be delivered .*ECONNREFUSED/);
});
