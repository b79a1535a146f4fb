import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import test from "node:test";
import { inspect } from "node:util";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { parseHostsFile } from "../../src/registry/hosts-file.ts";
import { placesFor } from "../../src/registry/hosts-lookup.ts";
import type { Place } from "../../src/registry/place.ts";

/** From containerd's docs/hosts.md. */
const example = `
server = "https://registry-1.docker.io"    # Exclude this to not use upstream

[host."https://public-mirror.example.com"]
  capabilities = ["pull"]                  # Requires less trust, won't resolve tag to digest from this host
[host."https://docker-mirror.internal"]
  capabilities = ["pull", "resolve"]
  ca = "docker-mirror.crt"                 # Or absolute path /etc/containerd/certs.d/docker.io/docker-mirror.crt
  [host."https://docker-mirror.internal".header]
    x-custom-2 = ["value1", "value2"]
    Authorization = "Bearer hunter2"
[host."http://10.0.0.1:5000/path"]
  dial_timeout = "1m30s"
  client = [["/c.cert", "/c.key"], ["/d.pem", ""]]
  skip_verify = true
  override_path = true
`;

test("H11 containerd's own example is read as it is, in its order", () => {
  const hosts = parseHostsFile(example, "hosts.toml");
  assert.deepEqual(
    hosts.map(({ server }) => server),
    [
      "https://public-mirror.example.com",
      "https://docker-mirror.internal",
      "http://10.0.0.1:5000/path",
      "https://registry-1.docker.io",
    ],
  );
  const [first, second, third, last] = hosts;
  assert.deepEqual([first?.mayPull, first?.mayResolve], [true, false]);
  assert.deepEqual(second?.caFiles, ["docker-mirror.crt"]);
  assert.deepEqual(second.headers, { "x-custom-2": "value1, value2", authorization: "Bearer hunter2" });
  assert.deepEqual(third?.clientFiles, [
    { cert: "/c.cert", key: "/c.key" },
    { cert: "/d.pem", key: "/d.pem" },
  ]);
  assert.ok(third.skipVerify && third.overridePath);
  assert.deepEqual([third.dialTimeoutMs, last?.dialTimeoutMs], [90_000, undefined]);
  assert.ok(last?.mayResolve === true && last.mayPull && !last.skipVerify);
});

test("a hosts.toml that can't be right is refused by name, and its headers are not quoted", () => {
  const wrong = [
    'server = "https://r.test',
    "server = 5",
    'server = "ftp://r.test"',
    'server = "https://me:hunter2@r.test"',
    '[host."https://r.test"]\ncapabilities = ["fly"]',
    '[host."https://r.test"]\nskip_verify = "yes"',
    '[host."https://r.test"]\nskipverify = true',
    '[host."https://r.test"]\ndial_timeout = 5',
    '[host."https://r.test"]\ndial_timeout = "5 seconds"',
    '[host."https://r.test"]\nclient = [["a", "b", "c"]]',
    '[host."https://r.test".header]\n"bad name" = "hunter2"',
    '[host."https://r.test".header]\nx = "hunter2\\nX-Evil: 1"',
    '[host."https://r.test".header]\nauthorization = "hunter2',
    '[host."https://r.test"]\n[host."https://r.test"]',
    "host = 1",
  ];
  for (const text of wrong) {
    assert.throws(
      () => parseHostsFile(text, "/certs/hosts.toml"),
      (error: unknown) => {
        assert.ok(hasReason(error, "CONFIG_INVALID"), String(error));
        assert.match(error.message, /\/certs\/hosts\.toml/);
        assert.doesNotMatch(inspect(error), /hunter2/);
        return true;
      },
      text,
    );
  }
});

async function withCerts(
  files: Readonly<Record<string, string>>,
  check: (
    places: (domain: string, ...certsDirs: readonly string[]) => Promise<readonly Place[]>,
  ) => Promise<void>,
): Promise<void> {
  await using folder = await makeTempDir("banger-certs-");
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, name)), { recursive: true });
    await writeFile(join(folder.path, name), content);
  }
  await check((domain, ...names) => {
    const certsDirs = names.map((name) => join(folder.path, name));
    return placesFor(domain, { certsDirs, plainHttpHosts: undefined, limits: defaultLimits });
  });
}

test("H11 which folder is a registry's", async () => {
  const mirror = (name: string): string => `[host."https://${name}.test"]`;
  const files = {
    "a/r.test:5000/hosts.toml": mirror("colon"),
    "a/r.test_6000_/hosts.toml": mirror("underscores"),
    "a/docker.io/hosts.toml": mirror("hub"),
    "b/docker.io/hosts.toml": mirror("second"),
    "b/other.test/hosts.toml": mirror("other"),
    "b/_default/hosts.toml": mirror("default"),
    "b/empty.test/keep": "",
  };
  await withCerts(files, async (places) => {
    const first = async (domain: string): Promise<string | undefined> =>
      (await places(domain, "none", "a", "b"))[0]?.endpoint.host;
    assert.equal(await first("r.test:5000"), "colon.test");
    assert.equal(await first("r.test:6000"), "underscores.test");
    assert.equal(await first("docker.io"), "hub.test");
    assert.equal(await first("other.test"), "other.test");
    assert.equal(await first("unknown.test"), "default.test");
    assert.equal(await first("empty.test"), "empty.test");
    assert.equal((await places("unknown.test", "a"))[0]?.endpoint.host, "unknown.test");
  });
});

test("H11 URLs, namespaces and files of the places", async () => {
  const hosts = `
server = "https://registry-1.docker.io"
[host."https://m.test"]
ca = ["ca.pem"]
[host."https://m.test:8443/v2/hub"]
[host."https://m.test/hub"]
[host."https://m.test/as/it/is/"]
override_path = true
[host."127.0.0.1:5000"]
`;
  await withCerts({ "c/docker.io/hosts.toml": hosts, "c/docker.io/ca.pem": "PEM" }, async (places) => {
    const found = await places("docker.io", "c");
    assert.deepEqual(
      found.map(({ api }) => api?.href),
      [
        "https://m.test/v2/",
        "https://m.test:8443/v2/hub/v2/",
        "https://m.test/hub/v2/",
        "https://m.test/as/it/is/",
        undefined,
        "https://registry-1.docker.io/v2/",
      ],
    );
    assert.deepEqual(
      found.map(({ namespace }) => namespace),
      [...Array.from({ length: 5 }, () => "docker.io"), undefined],
    );
    assert.deepEqual(found[0]?.tls?.extraCa, ["PEM"]);
    assert.equal(found[4]?.endpoint.mayBePlain, true);
  });
  const slow = {
    "c/r.test/hosts.toml": 'dial_timeout = "5s"\n[host."https://m.test"]\ndial_timeout = "250ms"',
  };
  await withCerts(slow, async (places) => {
    const found = await places("r.test", "c");
    assert.deepEqual(
      found.map(({ dialTimeoutMs }) => dialTimeoutMs),
      [250, 5000],
    );
  });
  const missing = { "c/r.test/hosts.toml": 'ca = "gone.pem"' };
  await withCerts(missing, async (places) => {
    await assert.rejects(places("r.test", "c"), (error: unknown) => {
      return hasReason(error, "CONFIG_INVALID") && /gone\.pem, which is not there/.test(error.message);
    });
  });
});
