import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { buildImage, noise, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { leftAtRest } from "../system/at-rest.ts";
import { bufCurl } from "../system/buf-curl.ts";
import {
  makeDaemonHome,
  namesBelow,
  runCli,
  startDaemonProcess,
  type DaemonHome,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { freePort } from "../system/free-port.ts";
import { inNamespace, withDisk } from "../system/namespace.ts";
import { tarOf } from "../system/tar-of.ts";

const quarter = 16 << 20;
let image: FakeImage;
before(async () => {
  const files = [0, 1, 2, 3].map((at) => ({ name: `file${at}`, content: noise(quarter, at + 1) }));
  image = buildImage({
    layers: await Promise.all(files.map((file) => tarOf((put) => put({ name: file.name }, file.content)))),
  });
});

interface Expected {
  readonly code: string;
  readonly reason: string;
  /** What a person must be told of; a digest in it is of a blob that may not stay. */
  readonly says: RegExp;
  /** Where not the default one is meant. */
  readonly builder?: "e2fsprogs";
}

/** A pull as `buf curl` asks for it. */
function requestFor(reference: string, builder: "e2fsprogs" | undefined): string {
  return JSON.stringify({
    reference,
    options: builder === undefined ? {} : { builder: "BUILDER_E2FSPROGS" },
  });
}

/** The foreign client sees code and reason; the CLI a sentence, what to do, and its exit code. */
async function assertFails(
  on: DaemonProcess,
  reference: string,
  expected: Expected,
  exit = 1,
): Promise<void> {
  const { builder } = expected;
  const request = requestFor(reference, builder);
  const { error } = await bufCurl(
    on,
    "-d",
    request,
    "http://localhost/banger.image.v1.ImageService/PullImage",
  );
  assert.deepEqual(
    [error?.code, error?.reason],
    [expected.code, expected.reason],
    error?.message ?? "it succeeded",
  );
  assert.ok(error !== undefined);
  assert.match(error.message, expected.says);
  const cli = await runCli(
    on,
    "image",
    "pull",
    reference,
    ...(builder === undefined ? [] : ["--builder", builder]),
  );
  assert.equal(cli.status, exit, cli.stderr);
  assert.match(cli.stderr, /^banger: .{10,}\n( {2}.*\n)* {2}→ .{10,}$/m);
  assert.doesNotMatch(cli.stderr, /^\s+at /m, "no stack");
  await assertClean(on.home, expected.says);
}

/** No folder, and nothing of what was refused; whole blobs, and others' downloads to be resumed, may stay. */
async function assertClean(home: DaemonHome, refused: RegExp): Promise<void> {
  const left = await leftAtRest(() => [
    ...namesBelow(join(home.state, "images")),
    ...namesBelow(join(home.cache, "oci")).filter((name) => refused.test(name)),
    // Below the daemon's own folder, which comes first.
    ...namesBelow(home.temp).slice(1),
  ]);
  assert.deepEqual(left, []);
}

test("registry down", async () => {
  const expected = { code: "unavailable", reason: "REGISTRY_UNAVAILABLE", says: /127\.0\.0\.1/ };
  await using daemon = await startDaemonProcess();
  await assertFails(daemon, `127.0.0.1:${await freePort()}/app:1`, expected);
});

test("tag unknown", async () => {
  await using registry = await FakeRegistry.start();
  await using daemon = await startDaemonProcess();
  registry.add("app", "1", image);
  await assertFails(
    daemon,
    `${registry.host}/app:2`,
    { code: "not_found", reason: "MANIFEST_UNKNOWN", says: /app:2/ },
    3,
  );
});

test("bad reference", async () => {
  const expected = { code: "invalid_argument", reason: "REFERENCE_INVALID", says: /Upper/ };
  await using daemon = await startDaemonProcess();
  await assertFails(daemon, "library/Upper:1", expected, 2);
});

test("a blob that does not hash to its digest", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const layer = image.blobs[2];
  assert.ok(layer !== undefined);
  registry.addBlob("app", layer.digest, Buffer.alloc(layer.bytes.length));
  const expected = {
    code: "data_loss",
    reason: "DIGEST_MISMATCH",
    says: new RegExp(layer.digest.slice(7, 19)),
  };
  await using daemon = await startDaemonProcess();
  await assertFails(daemon, `${registry.host}/app:1`, expected);
});

test("a blob shorter or longer than its descriptor says", async () => {
  for (const change of [-1, 1]) {
    await using registry = await FakeRegistry.start();
    await using daemon = await startDaemonProcess();
    registry.add("app", "1", image);
    const layer = image.blobs[3];
    assert.ok(layer !== undefined);
    const bytes = Buffer.concat([layer.bytes, Buffer.alloc(1)]).subarray(0, layer.bytes.length + change);
    registry.addBlob("app", layer.digest, bytes);
    const expected = {
      code: "data_loss",
      reason: "SIZE_MISMATCH",
      says: new RegExp(layer.digest.slice(7, 19)),
    };
    await assertFails(daemon, `${registry.host}/app:1`, expected);
  }
});

test("a layer that is not what the config's diffID says", async () => {
  await using registry = await FakeRegistry.start();
  const rootfs = { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] };
  const layer = await tarOf((put) => put({ name: "a" }, "a"));
  registry.add("app", "1", buildImage({ layers: [layer], config: { rootfs } }));
  await using daemon = await startDaemonProcess();
  await assertFails(daemon, `${registry.host}/app:1`, {
    code: "data_loss",
    reason: "DIFFID_MISMATCH",
    says: /diffID/,
  });
});

test("a layer that climbs out of its root", async () => {
  await using registry = await FakeRegistry.start();
  const layer = await tarOf((put) => put({ name: "a/../../etc/passwd" }, "a"));
  registry.add("app", "1", buildImage({ layers: [layer] }));
  const expected = { code: "invalid_argument", reason: "LAYER_UNSAFE", says: /entry 1\b.*etc\/passwd/ };
  await using daemon = await startDaemonProcess();
  await assertFails(daemon, `${registry.host}/app:1`, expected);
});

test("disk full, while blobs are fetched and while the image is built", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  for (const [name, size, builder] of [
    ["cache", 40, undefined],
    ["state", 40, undefined],
    // Only this one stages contents there.
    ["tmp", 40, "e2fsprogs"],
    ["state", 40, "e2fsprogs"],
  ] as const) {
    await using home = await makeDaemonHome();
    const small = withDisk(join(home.folder, name), size);
    await using full = await startDaemonProcess({ home, wrapper: small });
    const request = requestFor(`${registry.host}/app:1`, builder);
    const url = "http://localhost/banger.image.v1.ImageService/PullImage";
    const { error } = await bufCurl(full, "-d", request, url);
    assert.deepEqual(
      [error?.code, error?.reason],
      ["resource_exhausted", "DISK_FULL"],
      `${name}: ${error?.message}`,
    );
    assert.deepEqual(await leftAtRest(() => leftIn(full, home)), [], name);
  }
});

/** What the daemon, which alone sees its own file systems, has left but blobs and its books. */
function leftIn(running: DaemonProcess, home: DaemonHome): readonly string[] {
  const seen = (path: string): string => `/proc/${running.child.pid}/root${path}`;
  const state = namesBelow(seen(join(home.state, "images"))).map((name) => `state/${name}`);
  const temp = namesBelow(seen(home.temp))
    .slice(1)
    .map((name) => `tmp/${name}`);
  return [...state, ...temp];
}

test("mkfs.ext4 missing", async () => {
  await using home = await makeDaemonHome();
  const empty = join(home.folder, "empty");
  mkdirSync(empty);
  const without = inNamespace(`mount --bind '${empty}' /usr/sbin`);
  await using bare = await startDaemonProcess({ home, wrapper: without });
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const builder = "e2fsprogs";
  const expected = {
    code: "failed_precondition",
    reason: "E2FSPROGS_MISSING",
    says: /mkfs\.ext4/,
    builder,
  } as const;
  await assertFails(bare, `${registry.host}/app:1`, expected);
});

test("debugfs that gives up half way through its script", async () => {
  await using home = await makeDaemonHome();
  const bin = join(home.folder, "bin");
  mkdirSync(bin);
  // Runs the first half of any script, as a debugfs that was killed would have.
  const shim = `#!/bin/sh
for word; do [ "$last" = -f ] && script=$word; last=$word; done
[ -n "$script" ] || exec /usr/sbin/debugfs "$@"
half=$(( $(wc -l < "$script") / 2 ))
head -n "$half" "$script" > "$script.half"
exec /usr/sbin/debugfs -w -f "$script.half" "$last"
`;
  writeFileSync(join(bin, "debugfs"), shim, { mode: 0o755 });
  const env = { PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  await using broken = await startDaemonProcess({ home, env });
  await using registry = await FakeRegistry.start();
  registry.add("app", "1", image);
  const builder = "e2fsprogs";
  const expected = { code: "internal", reason: "E2FSPROGS_FAILED", says: /debugfs/, builder } as const;
  await assertFails(broken, `${registry.host}/app:1`, expected);
});
