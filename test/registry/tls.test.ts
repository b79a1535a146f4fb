import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { join } from "node:path";
import test from "node:test";
import { inspect } from "node:util";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { registryAccess } from "../../src/registry/access.ts";
import { buildImage, noise, writeLayout } from "../fakes/registry/images.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { startDockerRegistry, type DockerRegistryOptions } from "./docker-registry.ts";
import { pullAll, type PullOptions } from "./pull-all.ts";

const image = buildImage({ layers: [noise(100_000), noise(10, 2)] });
const layers = image.blobs.slice(1).map(({ bytes }) => bytes);

/** `s3cret`, by bcrypt, which is all that the registry reads. */
const htpasswd = "me:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

interface TlsWorld {
  readonly certificates: Certificates;
  readonly folder: string;
  readonly host: string;
  /** Pulls with that hosts.toml, or with none. */
  readonly pull: (hosts: string | undefined, options?: PullOptions) => Promise<readonly Buffer[]>;
}

/** The real registry behind TLS, with an image that skopeo pushed. */
async function withTls(
  options: (certificates: Certificates) => DockerRegistryOptions,
  check: (world: TlsWorld) => Promise<void>,
): Promise<void> {
  await using folder = await makeTempDir("banger-tls-");
  const certificates = makeCertificates(folder.path);
  const { server, client } = certificates;
  const wanted = options(certificates);
  const tls = { certificate: server.cert, key: server.key, ...wanted.tls };
  await using registry = await startDockerRegistry({ ...wanted, tls });
  const layout = join(folder.path, "layout");
  await writeLayout(layout, { one: image });
  await mkdir(join(folder.path, "skopeo"));
  await writeFile(join(folder.path, "skopeo", "c.cert"), readFileSync(client.cert));
  await writeFile(join(folder.path, "skopeo", "c.key"), readFileSync(client.key));
  const push = ["--dest-tls-verify=false", "--dest-cert-dir", join(folder.path, "skopeo")];
  const login = wanted.htpasswd === undefined ? [] : ["--dest-creds", "me:s3cret"];
  const target = `docker://${registry.host}/team/app:1.0`;
  execFileSync("skopeo", ["--insecure-policy", "copy", ...push, ...login, `oci:${layout}:one`, target], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const certs = join(folder.path, "certs");
  const pull: TlsWorld["pull"] = async (hosts, more) => {
    await rm(certs, { recursive: true, force: true });
    await mkdir(join(certs, registry.host), { recursive: true });
    if (hosts !== undefined) await writeFile(join(certs, registry.host, "hosts.toml"), hosts);
    return (await pullAll(`${registry.host}/team/app:1.0`, { certsDirs: [certs], ...more })).layers;
  };
  await check({ certificates, folder: folder.path, host: registry.host, pull });
}

const failing =
  (reason: Reason, message = /^/) =>
  (error: unknown) => {
    assert.ok(hasReason(error, reason), `${reason} expected: ${String(error)}`);
    assert.match(error.message, message);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /s3cret|hunter2/);
    return true;
  };

test("H03, H04, R10 the real registry behind TLS and a password", async () => {
  await withTls(
    () => ({ htpasswd }),
    async ({ certificates, folder, host, pull }) => {
      const trusting = `ca = ${JSON.stringify(certificates.ca.cert)}\n`;
      const credentials = { kind: "basic", username: "me", password: "s3cret" } as const;
      await assert.rejects(
        pull(undefined, { credentials }),
        failing("REGISTRY_UNAVAILABLE", /no secure connection/),
      );
      assert.deepEqual(await pull(trusting, { credentials }), layers);
      assert.deepEqual(await pull("skip_verify = true\n", { credentials }), layers);
      const mirror = `[host."https://${host}"]\nskip_verify = true\n`;
      assert.deepEqual(await pull(mirror, { credentials }), layers);
      await assert.rejects(pull(trusting), failing("REGISTRY_AUTH"));
      const wrong = { ...credentials, password: "hunter2" };
      await assert.rejects(pull(trusting, { credentials: wrong }), failing("REGISTRY_AUTH"));

      const auth = Buffer.from("me:s3cret").toString("base64");
      await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { [host]: { auth } } }));
      const env = { DOCKER_CONFIG: folder };
      const { credentialFinder } = registryAccess({ env, home: folder, limits: defaultLimits }, [], "banger");
      assert.ok(credentialFinder !== undefined);
      assert.deepEqual(await pull(trusting, { credentialFinder }), layers);
    },
  );
});

test("a registry that wants a client's certificate gets the one that hosts.toml names", async () => {
  await withTls(
    ({ ca }) => ({ tls: { clientcas: [ca.cert] } }),
    async ({ certificates: { ca, client }, pull }) => {
      const trusting = `ca = ${JSON.stringify(ca.cert)}\n`;
      await assert.rejects(pull(trusting), failing("REGISTRY_UNAVAILABLE"));
      const showing = `${trusting}client = [[${JSON.stringify(client.cert)}, ${JSON.stringify(client.key)}]]\n`;
      assert.deepEqual(await pull(showing), layers);
      const mixed = `${trusting}client = [[${JSON.stringify(client.cert)}, ${JSON.stringify(ca.key)}]]\n`;
      await assert.rejects(pull(mixed), failing("CONFIG_INVALID", /hosts\.toml names certificates or keys/));
    },
  );
});

test("skip_verify is for its own host, and not for one that this redirects to", async () => {
  await using folder = await makeTempDir("banger-tls-");
  const { server: pair } = makeCertificates(folder.path);
  const tls = { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
  let asked = 0;
  const other = createServer(tls, (_request, response) => {
    asked++;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(other, "listening");
  const portOf = (address: unknown): number =>
    typeof address === "object" && address !== null && "port" in address ? Number(address.port) : 0;
  const location = `https://127.0.0.1:${portOf(other.address())}/x`;
  const first = createServer(tls, (_request, response) => {
    response.writeHead(307, { location }).end();
  }).listen(0, "127.0.0.1");
  await once(first, "listening");
  const host = `127.0.0.1:${portOf(first.address())}`;
  await mkdir(join(folder.path, host));
  await writeFile(join(folder.path, host, "hosts.toml"), "skip_verify = true\n");
  try {
    const pulling = pullAll(`${host}/team/app:1.0`, { certsDirs: [folder.path] });
    await assert.rejects(pulling, failing("REGISTRY_UNAVAILABLE", /no secure connection/));
    assert.equal(asked, 0);
  } finally {
    for (const server of [first, other]) {
      server.closeAllConnections();
      server.close();
    }
  }
});
