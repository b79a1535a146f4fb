import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type Server } from "node:http";
import { connect } from "node:net";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { inspect } from "node:util";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { proxyFor, proxyRules } from "../../src/registry/proxy.ts";
import { buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { pullAll } from "./pull-all.ts";

test("which proxy a URL is reached through", () => {
  const env = {
    HTTP_PROXY: "http://plain.test:3128",
    https_proxy: "secure.test:3129",
    HTTPS_PROXY: "http://ignored.test",
    NO_PROXY: "a.test, .b.test,*.c.test 10.0.0.0/8,[fd00::1],fd01::/16,d.test:5000,1.2.3.4",
  };
  const rules = proxyRules(env);
  const table: readonly (readonly [url: string, proxy: string | undefined])[] = [
    ["http://r.test/", "plain.test:3128"],
    ["https://r.test/", "secure.test:3129"],
    ["https://a.test/", undefined],
    ["https://x.a.test/", undefined],
    ["https://xa.test/", "secure.test:3129"],
    ["https://x.b.test/", undefined],
    ["https://x.c.test/", undefined],
    ["https://10.9.8.7/", undefined],
    ["https://11.9.8.7/", "secure.test:3129"],
    ["https://[fd00::1]/", undefined],
    ["https://[fd01::9]:5000/", undefined],
    ["https://[fd02::9]/", "secure.test:3129"],
    ["https://d.test:5000/", undefined],
    ["https://d.test/", "secure.test:3129"],
    ["https://1.2.3.4:5000/", undefined],
    ["https://5.1.2.3.4.test/", "secure.test:3129"],
    ["http://127.0.0.1:5000/", undefined],
    ["https://localhost/", undefined],
  ];
  for (const [url, proxy] of table) assert.equal(proxyFor(new URL(url), rules)?.host, proxy, url);
  assert.equal(proxyFor(new URL("https://r.test"), proxyRules({ ...env, NO_PROXY: "*" })), undefined);
  assert.equal(proxyFor(new URL("https://r.test"), proxyRules({})), undefined);
});

test("a proxy that is none is refused without its password", () => {
  for (const proxy of ["socks5://me:hunter2@p.test", "http://me:hunter2@", "::::hunter2"]) {
    assert.throws(
      () => proxyRules({ HTTPS_PROXY: proxy }),
      (error: unknown) => hasReason(error, "CONFIG_INVALID") && !inspect(error).includes("hunter2"),
      proxy,
    );
  }
});

interface Proxy extends AsyncDisposable {
  readonly port: number;
  readonly seen: string[];
  readonly authorizations: (string | undefined)[];
}

/** A forward proxy that leads every name to `target`, whose name does not resolve. */
async function startProxy(target: number, refuse = false): Promise<Proxy> {
  const seen: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(`${request.method ?? ""} ${request.url ?? ""}`);
    authorizations.push(request.headers["proxy-authorization"]);
    const { pathname, search } = new URL(request.url ?? "");
    const options = { port: target, path: pathname + search, headers: request.headers };
    request.pipe(
      httpRequest(options, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      }),
    );
  });
  server.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url ?? ""}`);
    authorizations.push(request.headers["proxy-authorization"]);
    if (refuse) return void socket.end("HTTP/1.1 407 No\r\n\r\n");
    const through = connect(target, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      through.pipe(socket).pipe(through);
    });
    for (const end of [through, socket]) end.on("error", () => void through.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  return { port: address.port, seen, authorizations, [Symbol.asyncDispose]: stop };
}

test("a registry is reached through the proxy, which gets its own credentials", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", buildImage());
  await using proxy = await startProxy(registry.port);
  const proxies = () => proxyRules({ HTTP_PROXY: `http://me:pass@127.0.0.1:${proxy.port}` });
  await using folder = await makeTempDir("banger-proxy-");
  await mkdir(join(folder.path, "r.invalid"));
  await writeFile(join(folder.path, "r.invalid", "hosts.toml"), 'server = "http://r.invalid"');
  await pullAll("r.invalid/team/app:1.0", { certsDirs: [folder.path], proxies });
  assert.ok(
    proxy.seen.some((line) => line.includes("r.invalid")),
    proxy.seen.join(),
  );
  assert.equal(proxy.authorizations[0], `Basic ${Buffer.from("me:pass").toString("base64")}`);
  for (const { headers } of registry.requests) assert.equal(headers["authorization"], undefined);
});

test("a proxy that refuses is named as such, without its password", async () => {
  await using proxy = await startProxy(1, true);
  const proxies = () => proxyRules({ HTTPS_PROXY: `http://me:hunter2@127.0.0.1:${proxy.port}` });
  await assert.rejects(pullAll("r.invalid/team/app:1.0", { proxies }), (error: unknown) => {
    assert.ok(hasReason(error, "REGISTRY_UNAVAILABLE"), String(error));
    assert.match(error.message, /r\.invalid can't be reached through the proxy 127\.0\.0\.1/);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/);
    return true;
  });
  assert.deepEqual(proxy.seen.slice(0, 1), ["CONNECT r.invalid:443"]);
});
