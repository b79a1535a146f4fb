import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import test from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { proxyRules } from "../../src/registry/proxy.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { makeCertificates } from "./certificates.ts";
import { pullAll, type PullOptions } from "./pull-all.ts";

const image = buildImage({ layers: [noise(100_000)] });
const user = { name: "me", password: "hunter2" };
const credentials = { kind: "basic", username: user.name, password: user.password } as const;

function portOf(address: AddressInfo | string | null): number {
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

function join(one: Socket, two: Socket): void {
  const end = (): void => {
    one.destroy();
    two.destroy();
  };
  one.on("error", end).pipe(two.on("error", end)).pipe(one);
}

/** A proxy for which every name leads to the server on that port. */
function proxyTo(port: number): Server {
  const proxy = createServer();
  proxy.on("connect", (_request, socket: Socket) => {
    const through = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      join(through, socket);
    });
  });
  return proxy;
}

/** `https://registry.test` and `https://token.test`, which are one server that knows by which name it was asked. */
async function withNames(
  check: (registry: FakeRegistry, pull: (options?: PullOptions) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await using folder = await makeTempDir("banger-origin-");
  const { ca, server } = makeCertificates(folder.path);
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  const pair = { cert: readFileSync(server.cert), key: readFileSync(server.key) };
  const sockets = new Set<Socket>();
  const secure = createTlsServer(pair, (socket) => join(socket, connect(registry.port, "127.0.0.1")));
  secure.on("connection", (socket: Socket) => void sockets.add(socket));
  await once(secure.listen(0, "127.0.0.1"), "listening");
  const proxy = proxyTo(portOf(secure.address()));
  proxy.on("connection", (socket: Socket) => void sockets.add(socket));
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const proxies = () => proxyRules({ HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy.address())}` });
  try {
    const shared = { ca: readFileSync(ca.cert, "utf8"), proxies };
    await check(registry, (options) => pullAll("registry.test/team/app:1.0", { ...shared, ...options }));
  } finally {
    for (const socket of sockets) socket.destroy();
    for (const server of [secure, proxy]) server.close();
  }
}

const challenges = ['Bearer realm="https://token.test/token",service="registry.test"'];

test("R05 a token server on another origin gets the credentials, and the registry the token alone", async () => {
  await withNames(async (registry, pull) => {
    registry.requireAuth({ scheme: "bearer", user, challenges });
    await pull({ credentials });
    const basic = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString("base64")}`;
    const [token, ...more] = registry.asked(/^\/token$/);
    assert.equal(more.length, 0);
    assert.deepEqual([token?.headers["host"], token?.headers["authorization"]], ["token.test", basic]);
    for (const { headers } of registry.asked(/^\/v2\//)) {
      assert.equal(headers["host"], "registry.test");
      assert.match(headers["authorization"] ?? "Bearer", /^Bearer/);
    }
  });
});

test("R12 a token of another origin's runs out in the middle of a blob", async () => {
  await withNames(async (registry, pull) => {
    registry.requireAuth({ scheme: "bearer", uses: 3, challenges });
    const layer = new RegExp(image.blobs[1]?.digest ?? "");
    registry.fault({ path: layer, times: 1 }, { cutAfter: 60_000 });
    await pull();
    assert.equal(registry.asked(/^\/token$/).length, 2);
    assert.match(registry.asked(layer).at(-1)?.headers["range"] ?? "", /^bytes=[1-9]/);
  });
});

for (const path of [/blobs/, /^\/token/]) {
  test(`R19, R41 a redirect from HTTPS to HTTP is refused: ${path.source}`, async () => {
    await withNames(async (registry, pull) => {
      registry.requireAuth({ scheme: "bearer", user, challenges });
      registry.fault({ path }, { status: 307, headers: { location: "http://registry.test/x" } });
      await assert.rejects(pull({ credentials }), (error: unknown) => {
        assert.ok(hasReason(error, "REGISTRY_PROTOCOL"), String(error));
        assert.match(error.message, /from HTTPS to HTTP/);
        return true;
      });
      assert.equal(registry.asked(/^\/x/).length, 0);
    });
  });
}

test("R16 a redirect to another name over TLS carries no token there", async () => {
  await withNames(async (registry, pull) => {
    registry.requireAuth({ scheme: "bearer", user, challenges });
    const blob = image.blobs[1];
    assert.ok(blob !== undefined);
    registry.serve("/store", blob.bytes);
    const location = "https://token.test/store";
    registry.fault({ path: new RegExp(blob.digest) }, { status: 307, headers: { location } });
    await pull({ credentials });
    const [stored] = registry.asked(/^\/store/);
    assert.deepEqual([stored?.headers["host"], stored?.headers["authorization"]], ["token.test", undefined]);
  });
});

test("R40 a token server in the clear is not asked by a registry behind TLS", async () => {
  await withNames(async (registry, pull) => {
    registry.requireAuth({ scheme: "bearer", user, challenges: ['Bearer realm="http://token.test/token"'] });
    await assert.rejects(pull({ credentials }), (error: unknown) => hasReason(error, "REGISTRY_PROTOCOL"));
    assert.equal(registry.asked(/^\/token/).length, 0);
  });
});
