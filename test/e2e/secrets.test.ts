import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import {
  makeDaemonHome,
  runCli,
  startDaemonProcess,
  type CliResult,
  type DaemonHome,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { Secrets } from "../system/secret-search.ts";
import { tarOf } from "../system/tar-of.ts";

/** All that was seen of a daemon and its clients from outside. */
interface Watched {
  readonly secrets: Secrets;
  readonly home: DaemonHome;
  readonly daemon: DaemonProcess;
  readonly said: string[];
  /** Files that the test itself put a secret into. */
  readonly planted: string[];
  readonly inProcesses: Set<string>;
}

async function run(watched: Watched, ...args: readonly string[]): Promise<CliResult> {
  const running = runCli(watched.daemon, ...args);
  const ended = running.then(() => true);
  do for (const found of watched.secrets.inProcessList()) watched.inProcesses.add(found);
  while (!(await Promise.race([ended, sleep(30, false)])));
  const result = await running;
  watched.said.push(result.stdout, result.stderr);
  return result;
}

/** A pull; one that fails, in every form in which that is shown. */
async function pull(
  watched: Watched,
  reference: string,
  status: number,
  ...more: readonly string[]
): Promise<void> {
  for (const progress of status === 0 ? ["json"] : ["json", "plain"]) {
    const args = ["image", "pull", reference, "--no-agents", "--progress", progress, "--json"];
    args.push("--name", `image-${reference.replaceAll(/[^0-9a-z]/g, "-")}`, ...more);
    const { status: actual, stderr } = await run(watched, ...args);
    assert.equal(actual, status, stderr);
  }
}

function assertNothingLeaked({ secrets, home, daemon, said, planted, inProcesses }: Watched): void {
  assert.deepEqual([...inProcesses], []);
  assert.deepEqual(secrets.in(daemon.log()), [], "the daemon's log");
  for (const text of said) assert.deepEqual(secrets.in(text), [], text);
  assert.deepEqual(secrets.below(home.folder, planted), []);
}

async function watch(home: DaemonHome, secrets: Secrets): Promise<Watched> {
  const config = join(home.folder, "config.toml");
  writeFileSync(config, '[log]\nlevel = "debug"\n');
  const env = {
    DOCKER_CONFIG: "",
    REGISTRY_AUTH_FILE: "",
    XDG_RUNTIME_DIR: "",
    XDG_CONFIG_HOME: "",
    BANGER_CERTS_DIR: "",
    BANGER_CONFIG: config,
    PATH: `${home.folder}/bin:${process.env["PATH"] ?? ""}`,
  };
  const daemon = await startDaemonProcess({ home, env });
  return { secrets, home, daemon, said: [], planted: [], inProcesses: new Set() };
}

/** A registry that wants that password and gives tokens of its own, and sends to signed URLs on another host. */
async function startLocked(
  secrets: Secrets,
  storage: FakeRegistry,
  name: string,
  password: string,
): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  const layer = await tarOf((put) => put({ name }, noise(200_000, name.length)));
  const image = buildImage({ layers: [layer], config: { author: name } });
  registry.add("team/app", "1.0", image);
  registry.requireAuth({
    scheme: "bearer",
    user: { name: "me", password },
    tokenPrefix: secrets.make("token"),
  });
  const blob = image.blobs[1];
  assert.ok(blob !== undefined);
  storage.serve(`/store/${blob.digest}`, blob.bytes);
  const location = `http://${storage.host}/store/${blob.digest}?X-Signature=${secrets.make("signature")}`;
  // Refused, broken off, and then sent elsewhere: each of them is reported.
  registry.fault({ path: new RegExp(blob.digest), times: 1 }, { status: 503 });
  registry.fault({ path: new RegExp(blob.digest) }, { status: 307, headers: { location } });
  storage.fault({ path: new RegExp(blob.digest), times: 1 }, { cutAfter: 100_000 });
  return registry;
}

test("no secret is in any log, event, error, database, file or process list", async () => {
  const secrets = new Secrets();
  await using home = await makeDaemonHome();
  await using storage = await FakeRegistry.start();
  const passwords = {
    creds: secrets.make("creds"),
    auths: secrets.make("auths"),
    helper: secrets.make("helper"),
  };
  await using byCreds = await startLocked(secrets, storage, "by-creds", passwords.creds);
  await using byAuths = await startLocked(secrets, storage, "by-auths", passwords.auths);
  await using byHelper = await startLocked(secrets, storage, "by-helper", passwords.helper);
  await using byHeader = await FakeRegistry.start();
  byHeader.add("team/app", "1.0", buildImage({ layers: [await tarOf((put) => put({ name: "x" }))] }));

  const watched = await watch(home, secrets);
  await using _daemon = watched.daemon;
  const plant = (path: string, content: string): string => {
    const full = join(home.folder, path);
    mkdirSync(join(full, ".."), { recursive: true });
    writeFileSync(full, content);
    watched.planted.push(full);
    return full;
  };
  secrets.add("whole creds", `me:${passwords.creds}`);
  secrets.add("whole auths", `me:${passwords.auths}`);
  const auth = Buffer.from(`me:${passwords.auths}`).toString("base64");
  const identity = secrets.make("identity");
  const auths = { [byAuths.host]: { auth }, "other.invalid": { identitytoken: identity } };
  plant(".docker/config.json", JSON.stringify({ auths, credHelpers: { [byHelper.host]: "test" } }));
  const answer = JSON.stringify({ Username: "me", Secret: passwords.helper });
  chmodSync(plant("bin/docker-credential-test", `#!/bin/sh\ncat >/dev/null\necho '${answer}'\n`), 0o755);
  const header = `[host."http://${byHeader.host}".header]\nx-key = "${secrets.make("header")}"\n`;
  plant(".config/banger/certs.d/h.invalid/hosts.toml", `[host."http://${byHeader.host}"]\n${header}`);
  const creds = plant("creds", `me:${passwords.creds}\n`);
  const wrong = plant("wrong", `me:${secrets.make("wrong")}\n`);

  await pull(watched, `${byCreds.host}/team/app:1.0`, 1, "--creds-file", wrong);
  await pull(watched, `${byCreds.host}/team/app:1.0`, 0, "--creds-file", creds);
  await pull(watched, `${byAuths.host}/team/app:1.0`, 0);
  await pull(watched, `${byHelper.host}/team/app:1.0`, 0);
  await pull(watched, "h.invalid/team/app:1.0", 0);
  assert.ok(
    byHeader.requests.some(({ headers }) => headers["x-key"] !== undefined),
    "the header was sent",
  );
  await pull(watched, `${byCreds.host}/team/none:1.0`, 3, "--creds-file", creds);
  for (const args of [
    ["pull", "ls"],
    ["image", "ls"],
    ["daemon", "status"],
  ])
    await run(watched, ...args, "--json");
  plant(".docker/config.json", `{"auths": {"x": {"auth": "${auth}" oops`);
  await pull(watched, `${byAuths.host}/team/app:1.0`, 1);
  plant(".config/banger/certs.d/h.invalid/hosts.toml", `${header}oops`);
  await pull(watched, "h.invalid/team/app:1.0", 1);
  await watched.daemon.stop();
  assertNothingLeaked(watched);

  // The search finds what is there: in each of the places that it looked at.
  const leak = secrets.make("leak");
  assert.throws(() => assertNothingLeaked({ ...watched, said: [`oh ${leak}`] }));
  assert.throws(() =>
    assertNothingLeaked({
      ...watched,
      daemon: { ...watched.daemon, log: () => Buffer.from(leak).toString("base64") },
    }),
  );
  writeFileSync(join(home.state, "planted.db"), `SQLite format 3\0${leak}`);
  assert.throws(() => assertNothingLeaked(watched));
  const child = spawn("sh", ["-c", "read x", leak], { stdio: ["pipe", "ignore", "ignore"] });
  await once(child, "spawn");
  const seen = secrets.inProcessList();
  child.kill();
  assert.ok(seen.length > 0 && seen.every((found) => found.startsWith("sh -c read x")), seen.join());
});
