import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import type { RetryNotice } from "../../src/oci/image-source.ts";
import type { Credentials } from "../../src/registry/credentials.ts";
import { buildImage, buildIndex, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { pullAll, type PullOptions, type Pulled } from "./pull-all.ts";

const image = buildImage({ layers: [noise(500_000), noise(3000, 2)] });
const layers = image.blobs.slice(1).map(({ bytes }) => bytes);

interface Mirrored {
  readonly one: FakeRegistry;
  readonly two: FakeRegistry;
  readonly upstream: FakeRegistry;
  readonly pull: (options?: PullOptions) => Promise<Pulled>;
}

/** Two mirrors and the registry itself, all of which have the image. `{one}` and `{two}` in `hosts` are the mirrors. */
async function withMirrors(hosts: string, check: (world: Mirrored) => Promise<void>): Promise<void> {
  await using folder = await makeTempDir("banger-mirrors-");
  await using one = await FakeRegistry.start();
  await using two = await FakeRegistry.start();
  await using upstream = await FakeRegistry.start();
  for (const registry of [one, two, upstream]) registry.add("team/app", "1.0", image);
  await mkdir(join(folder.path, upstream.host));
  const text = hosts.replaceAll("{one}", one.host).replaceAll("{two}", two.host);
  await writeFile(join(folder.path, upstream.host, "hosts.toml"), text);
  const pull = (options?: PullOptions): Promise<Pulled> =>
    pullAll(`${upstream.host}/team/app:1.0`, { certsDirs: [folder.path], ...options });
  await check({ one, two, upstream, pull });
}

const both = '[host."http://{one}"]\n[host."http://{two}"]\n';

test("H11 the first mirror serves all, and is told which registry is meant", async () => {
  await withMirrors(both, async ({ one, two, upstream, pull }) => {
    assert.deepEqual((await pull()).layers, layers);
    assert.ok(one.requests.length > 0);
    for (const { query } of one.requests) assert.equal(query.get("ns"), upstream.host);
    assert.equal(two.requests.length + upstream.requests.length, 0);
  });
});

test("H11 a mirror without a scheme is tried as TLS first and may be plain on this machine", async () => {
  await withMirrors('[host."{one}"]', async ({ one, pull }) => {
    await pull();
    assert.ok(one.asked(/manifests\/1\.0/).length > 0);
  });
});

for (const [name, fault] of Object.entries({
  "404": { status: 404 },
  "500": { status: 500 },
  "503": { status: 503 },
  "403": { status: 403 },
  "a reset connection": { reset: true },
  "a page in place of a manifest's digest": {
    headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` },
  },
})) {
  test(`H11 after ${name} the next one is asked, in order, and people are told`, async () => {
    await withMirrors(both, async ({ one, two, upstream, pull }) => {
      one.fault({}, fault);
      const notices: RetryNotice[] = [];
      assert.deepEqual((await pull({ notices })).layers, layers);
      assert.ok(one.requests.length > 0 && two.requests.length > 0);
      assert.equal(upstream.requests.length, 0);
      assert.ok(notices.some(({ why }) => why.endsWith(`asking ${two.host}`)));
    });
  });
}

test("H11 a mirror that refuses connections is passed over, and the registry itself is last, without ns", async () => {
  await withMirrors('[host."http://127.0.0.1:1"]\n[host."http://{two}"]', async ({ two, upstream, pull }) => {
    two.fault({}, { status: 404 });
    assert.deepEqual((await pull()).layers, layers);
    for (const { query } of upstream.requests) assert.equal(query.get("ns"), null);
    upstream.fault({}, { status: 404 });
    await assert.rejects(pull(), (error: unknown) => {
      assert.ok(hasReason(error, "MANIFEST_UNKNOWN"));
      assert.match(error.message, /before that, 127\.0\.0\.1:1: .*can't be reached/);
      return true;
    });
  });
});

test("H11 a mirror that may not resolve is asked for digests alone, and pinned to what the tag meant", async () => {
  const hosts = '[host."http://{one}"]\ncapabilities = ["pull"]\n';
  await withMirrors(hosts, async ({ one, upstream, pull }) => {
    one.addManifest("team/app", "1.0", buildImage({ layers: [noise(9)] }).root);
    const { image: resolved } = await pull();
    assert.equal(resolved.manifestDigest, image.root.digest);
    assert.equal(one.asked(/manifests/).length, 0);
    assert.equal(one.asked(/blobs/).length, 3);
    assert.deepEqual(
      upstream.requests.map(({ path }) => path),
      ["/v2/team/app/manifests/1.0"],
    );
  });
  const nobody = '[host."http://{one}"]\ncapabilities = ["pull"]\n';
  await withMirrors(`capabilities = ["pull"]\n${nobody}`, async ({ pull }) => {
    await assert.rejects(pull(), (error: unknown) => hasReason(error, "CONFIG_INVALID"));
  });
});

test("H11 a blob that breaks off at one mirror goes on at the next, from where it got to", async () => {
  await withMirrors(both, async ({ one, two, pull }) => {
    const digest = image.blobs[1]?.digest ?? "";
    one.fault({ path: new RegExp(digest) }, { cutAfter: 300_000 });
    assert.deepEqual((await pull()).layers, layers);
    const [resumed, ...more] = two.asked(/blobs/);
    assert.equal(more.length, 0);
    const from = Number(/^bytes=(\d+)-$/.exec(resumed?.headers["range"] ?? "")?.[1]);
    assert.ok(from > 0 && from <= 300_000, String(from));
  });
});

test("H11 a mirror that lacks one blob is passed over for that one", async () => {
  await withMirrors(both, async ({ one, two, pull }) => {
    one.removeBlob("team/app", image.blobs[2]?.digest ?? "");
    assert.deepEqual((await pull()).layers, layers);
    assert.equal(two.requests.length, 1);
  });
});

const wrongLayer = Buffer.from(image.blobs[1]?.bytes ?? "").fill(7, 250_000, 250_010);

for (const [name, fault] of Object.entries({
  "wrong bytes of the right length": { body: wrongLayer },
  "too many bytes": { chunked: true, endless: Buffer.alloc(1000) },
  "too few bytes": { chunked: true, body: wrongLayer.subarray(0, 100_000) },
})) {
  test(`H11 after ${name} the blob is asked of the next one, and the first is not asked for it again`, async () => {
    await withMirrors(both, async ({ one, two, upstream, pull }) => {
      one.fault({ path: new RegExp(image.blobs[1]?.digest ?? "") }, fault);
      const notices: RetryNotice[] = [];
      assert.deepEqual((await pull({ notices })).layers, layers);
      assert.equal(one.asked(new RegExp(image.blobs[1]?.digest ?? "")).length, 1);
      assert.equal(one.asked(new RegExp(image.blobs[2]?.digest ?? "")).length, 1, "others still are");
      assert.ok(two.asked(/blobs/).length >= 1);
      assert.equal(upstream.requests.length, 0);
      assert.ok(notices.length > 0);
    });
  });
}

test("H11 a blob that is wrong everywhere is refused once every host was asked for it", async () => {
  await withMirrors(both, async ({ one, two, upstream, pull }) => {
    const path = new RegExp(image.blobs[1]?.digest ?? "");
    for (const registry of [one, two, upstream]) registry.fault({ path }, { body: wrongLayer });
    await assert.rejects(pull(), (error: unknown) => hasReason(error, "DIGEST_MISMATCH"));
    assert.deepEqual(
      [one, two, upstream].map((registry) => registry.asked(path).length),
      [1, 1, 1],
    );
  });
});

test("H11 a piece of wrong bytes at one mirror does not condemn the one that sent the rest", async () => {
  await withMirrors(both, async ({ one, two, upstream, pull }) => {
    const path = new RegExp(image.blobs[1]?.digest ?? "");
    one.fault({ path }, { body: wrongLayer.fill(9, 0, 10), cutAfter: 300_000 });
    assert.deepEqual((await pull()).layers, layers);
    assert.equal(two.asked(path).length, 2, "for the rest, and then for all");
    assert.equal(upstream.requests.length, 0);
  });
});

test("H11 after a config or a child manifest with wrong bytes the next one is asked", async () => {
  await withMirrors(both, async ({ one, two, upstream, pull }) => {
    const config = image.blobs[0];
    one.fault(
      { path: new RegExp(config?.digest ?? "") },
      { body: Buffer.alloc(config?.bytes.length ?? 0, "x") },
    );
    assert.deepEqual((await pull()).layers, layers);
    const index = buildIndex([{ image, platform: { os: "linux", architecture: "amd64" } }]);
    for (const registry of [one, two, upstream]) registry.add("team/app", "1.0", index);
    one.fault({ path: new RegExp(image.root.digest) }, { body: "{}", headers: {} });
    assert.deepEqual((await pull()).layers, layers);
    assert.equal(upstream.requests.length, 0);
  });
});

test("H11 each mirror gets its own credentials, and never the registry's", async () => {
  await withMirrors(both, async ({ one, two, upstream, pull }) => {
    const known: Readonly<Record<string, Credentials>> = {
      [two.host]: { kind: "basic", username: "two", password: "p2" },
      [upstream.host]: { kind: "basic", username: "up", password: "p0" },
    };
    const credentialFinder = { find: async (domain: string) => known[domain] };
    one.requireAuth({ scheme: "basic", user: { name: "one", password: "p1" } });
    two.requireAuth({ scheme: "basic", user: { name: "two", password: "p2" } });
    const credentials = { kind: "basic", username: "mine", password: "p3" } as const;
    assert.deepEqual((await pull({ credentialFinder, credentials })).layers, layers);
    for (const { headers } of one.requests) assert.equal(headers["authorization"], undefined);
    two.fault({}, { status: 404 });
    upstream.requireAuth({ scheme: "basic", user: { name: "mine", password: "p3" } });
    await pull({ credentialFinder, credentials });
    upstream.requireAuth({ scheme: "basic", user: { name: "up", password: "p0" } });
    await pull({ credentialFinder });
  });
});

test("H11 a mirror's headers are sent to it, and to no host that it redirects to", async () => {
  const hosts =
    '[host."http://{one}/sub/v2"]\noverride_path = true\n[host."http://{one}/sub/v2".header]\nx-key = "k"\n';
  await withMirrors(hosts, async ({ one, two, pull }) => {
    one.fault(
      { path: /^\/sub\/v2\/team/ },
      { status: 307, headers: { location: `http://${two.host}/v2/team/app/manifests/1.0` } },
    );
    await assert.rejects(pull({ platform: "linux/s390x" }));
    assert.equal(one.requests[0]?.path, "/sub/v2/team/app/manifests/1.0");
    assert.equal(one.requests[0].headers["x-key"], "k");
    assert.equal(two.requests[0]?.headers["x-key"], undefined);
    assert.equal(two.requests[0]?.path, "/v2/team/app/manifests/1.0");
  });
});

test("H11 a cancel is no reason to ask the next one", async () => {
  await withMirrors(both, async ({ one, two, upstream, pull }) => {
    one.fault({}, { hang: true });
    const controller = new AbortController();
    const notices: RetryNotice[] = [];
    const pulling = pull({ signal: controller.signal, notices });
    while (one.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await assert.rejects(pulling, (error: unknown) => hasReason(error, "CANCELLED"));
    assert.deepEqual(notices, []);
    assert.equal(two.requests.length + upstream.requests.length, 0);
  });
});

test("H11 a mirror that takes connections and then says nothing is passed over after its dial_timeout", async () => {
  const silent = createServer();
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  assert.ok(address !== null && typeof address === "object");
  const sockets = new Set<Socket>();
  silent.on("connection", (socket) => {
    sockets.add(socket.on("error", () => {}));
  });
  try {
    const hosts = `[host."https://127.0.0.1:${address.port}"]\ndial_timeout = "100ms"\n`;
    await withMirrors(hosts, async ({ upstream, pull }) => {
      const notices: RetryNotice[] = [];
      assert.deepEqual((await pull({ notices, limits: { responseMs: 60_000 } })).layers, layers);
      assert.ok(upstream.requests.length > 0);
      assert.match(notices[0]?.why ?? "", /UND_ERR_CONNECT_TIMEOUT/);
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});
