import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { buildImage, writeLayout, type FakeImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { runCli, startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

const user = { name: "me", password: "hunter2" };
let image: FakeImage;
before(async () => {
  image = buildImage({ layers: [await tarOf((put) => put({ name: "etc/hello" }, "hello\n"))] });
});

async function lockedRegistry(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.requireAuth({ scheme: "bearer", user });
  return registry;
}

/** Every file below a folder that holds the text. */
function holding(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && readFileSync(path).includes(text));
}

/** Nothing that the daemon keeps or says has the password, save the file that the test wrote itself. */
function assertKeptSecret(daemon: DaemonProcess): void {
  for (const folder of [daemon.home.state, daemon.home.cache, daemon.home.temp]) {
    assert.deepEqual(holding(folder, user.password), []);
  }
  assert.doesNotMatch(daemon.log(), /hunter2|Basic bWU6/);
}

test("credentials come with one pull, and stay nowhere", async () => {
  await using registry = await lockedRegistry();
  await using daemon = await startDaemonProcess();
  const reference = `${registry.host}/team/app:1.0`;
  const file = join(daemon.home.folder, "creds");
  writeFileSync(file, "me:hunter2\n");
  assert.deepEqual(holding(daemon.home.folder, user.password), [file], "the search finds what is there");

  const without = await runCli(daemon, "image", "pull", reference, "--no-agents");
  assert.equal(without.status, 1, without.stderr);
  assert.match(without.stderr, /401/);
  writeFileSync(file, "me:hunter3\n");
  const wrong = await runCli(daemon, "image", "pull", reference, "--no-agents", "--creds-file", file);
  assert.equal(wrong.status, 1, wrong.stderr);
  assert.doesNotMatch(wrong.stderr, /hunter/);
  writeFileSync(file, "me:hunter2\n");
  const right = await runCli(daemon, "image", "pull", reference, "--no-agents", "--creds-file", file);
  assert.equal(right.status, 0, right.stderr);
  for (const said of [right.stdout, right.stderr, (await runCli(daemon, "pull", "ls", "--json")).stdout]) {
    assert.doesNotMatch(said, /hunter/);
  }
  const again = await runCli(daemon, "image", "pull", reference, "--no-agents");
  assert.equal(again.status, 1, "what is here already is given to those who may have it alone");
  assertKeptSecret(daemon);
});

test("the daemon's own auth file and hosts.toml are used, and a malformed one is named", async () => {
  await using registry = await lockedRegistry();
  await using daemon = await startDaemonProcess({
    env: {
      DOCKER_CONFIG: "",
      REGISTRY_AUTH_FILE: "",
      XDG_RUNTIME_DIR: "",
      XDG_CONFIG_HOME: "",
      BANGER_CERTS_DIR: "",
    },
  });
  const config = join(daemon.home.folder, ".docker", "config.json");
  mkdirSync(join(daemon.home.folder, ".docker"));
  const auth = Buffer.from("me:hunter2").toString("base64");
  writeFileSync(config, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  const certs = join(daemon.home.folder, ".config", "banger", "certs.d", "r.invalid");
  mkdirSync(certs, { recursive: true });
  writeFileSync(join(certs, "hosts.toml"), `[host."http://${registry.host}"]\n`);
  const pulled = await runCli(daemon, "image", "pull", "r.invalid/team/app:1.0", "--no-agents");
  assert.equal(pulled.status, 0, pulled.stderr);
  assert.equal(registry.asked(/manifests/)[0]?.query.get("ns"), "r.invalid");
  writeFileSync(config, "{hunter2");
  const malformed = await runCli(daemon, "image", "pull", `${registry.host}/team/app:1.0`, "--no-agents");
  assert.equal(malformed.status, 1, malformed.stderr);
  assert.match(malformed.stderr, /\.docker\/config\.json is not JSON/);
  assertKeptSecret(daemon);
});

test("a docker-archive is pulled as any other source", async () => {
  await using daemon = await startDaemonProcess();
  const layout = join(daemon.home.folder, "layout");
  await writeLayout(layout, { v1: image });
  const archive = join(daemon.home.folder, "docker.tar");
  const copied = spawnSync("skopeo", [
    "--insecure-policy",
    "copy",
    `oci:${layout}:v1`,
    `docker-archive:${archive}:team/app:1.0`,
  ]);
  assert.equal(copied.status, 0, copied.stderr.toString());
  for (const [name, reference] of Object.entries({ named: `${archive}:team/app:1.0`, alone: archive })) {
    const pulled = await runCli(
      daemon,
      "image",
      "pull",
      `docker-archive:${reference}`,
      "--no-agents",
      "--name",
      name,
    );
    assert.equal(pulled.status, 0, pulled.stderr);
    const said = await runCli(daemon, "image", "cat", name, "/etc/hello");
    assert.equal(said.stdout, "hello\n");
  }
});
