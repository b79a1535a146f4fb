import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { baseUrlOf, endpointOf } from "../../src/registry/endpoint.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { pullAll } from "./pull-all.ts";

const never = new AbortController().signal;

test("H01 Docker Hub is served by another host", () => {
  assert.deepEqual(endpointOf("docker.io"), { host: "registry-1.docker.io", mayBePlain: false });
  assert.equal(endpointOf("ghcr.io").host, "ghcr.io");
});

test("H02 plain HTTP is for this machine alone, or where it was allowed by name", () => {
  for (const domain of ["localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "x.localhost"]) {
    assert.equal(endpointOf(domain).mayBePlain, true, domain);
  }
  for (const domain of [
    "localhost.example.test",
    "10.0.0.1:5000",
    "128.0.0.1",
    "[::2]",
    "registry.test:80",
  ]) {
    assert.equal(endpointOf(domain).mayBePlain, false, domain);
  }
  assert.equal(endpointOf("registry.test:80", ["registry.test:80"]).mayBePlain, true);
});

test("H02 any other registry is never tried in the clear", async () => {
  // A name that does not resolve: a probe would fail.
  assert.equal(
    (await baseUrlOf(endpointOf("registry.invalid:5000"), 1000, never)).href,
    "https://registry.invalid:5000/",
  );
});

async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const close = async (): Promise<void> => {
    const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
    server.close(() => onClose());
    await closed;
  };
  return { port: address.port, [Symbol.asyncDispose]: close };
}

test("H02 a server that answers a handshake with HTTP, or hangs up on it, is spoken to in the clear", async () => {
  await using http = await FakeRegistry.start();
  const base = await baseUrlOf(endpointOf(http.host), 1000, never);
  assert.equal(base.protocol, "http:");
  await using rude = await listening(
    createServer((socket) => void socket.once("data", () => socket.destroy())),
  );
  const other = await baseUrlOf(endpointOf(`127.0.0.1:${rude.port}`), 1000, never);
  assert.equal(other.protocol, "http:");
});

test("H02 one that says nothing is not", async () => {
  await using mute = await listening(createServer((socket) => void socket.on("error", () => {}).resume()));
  await assert.rejects(baseUrlOf(endpointOf(`127.0.0.1:${mute.port}`), 50, never), (error: unknown) =>
    hasReason(error, "REGISTRY_UNAVAILABLE"),
  );
});

test("H03 TLS comes first, and a bad certificate never leads to plain HTTP", async () => {
  await using folder = await makeTempDir("banger-tls-");
  const [key, cert] = [join(folder.path, "key.pem"), join(folder.path, "cert.pem")];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", cert, ...subject], {
    stdio: "ignore",
  });
  const asked: string[] = [];
  const server = createHttpsServer(
    { key: readFileSync(key), cert: readFileSync(cert) },
    (request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(404).end();
    },
  );
  await using tls = await listening(server);
  const reference = `127.0.0.1:${tls.port}/team/app:1.0`;
  await assert.rejects(pullAll(reference), (error: unknown) => {
    assert.ok(hasReason(error, "REGISTRY_UNAVAILABLE"));
    assert.match(error.message, /no secure connection to \S+: self-signed certificate$/);
    return true;
  });
  assert.deepEqual(asked, []);
  await assert.rejects(pullAll(reference, { ca: readFileSync(cert, "utf8") }), (error: unknown) =>
    hasReason(error, "MANIFEST_UNKNOWN"),
  );
  assert.deepEqual(asked, ["/v2/team/app/manifests/1.0"]);
  server.closeAllConnections();
});
