import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { demoLayers } from "../../src/client/demo/layers.ts";
import { writeLayout, type DemoLayout } from "../../src/client/demo/layout.ts";
import { banger, startBanger, type Ran } from "./run-banger.ts";

/** The real programs, with a real image and a real daemon. */
const root = join(import.meta.dirname, "../..");

let place: TempDir;
let layout: DemoLayout;
let homes = 0;

before(async () => {
  place = await makeTempDir("banger-cli-");
  layout = await writeLayout(join(place.path, "image"), await demoLayers(new AbortController().signal));
});

after(() => place[Symbol.asyncDispose]());

/** A home of its own: its default socket, state and cache are nobody else's. */
function newHome(): Readonly<Record<string, string>> {
  const home = join(place.path, `h${homes++}`);
  return {
    HOME: home,
    XDG_STATE_HOME: join(home, "s"),
    XDG_CACHE_HOME: join(home, "c"),
    XDG_CONFIG_HOME: join(home, "k"),
    XDG_RUNTIME_DIR: join(home, "r"),
  };
}

/** A process of its own, as a shell starts it. The rest of the commands run in this one, which is quicker. */
function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  return startBanger(args, env).ended;
}

/** The same through a shell, which can point the streams elsewhere. */
async function shell(args: string, env: Readonly<Record<string, string>>, before = ""): Promise<Ran> {
  const child = spawn(
    "sh",
    ["-c", `${before} exec "$0" ${root}/src/bin/banger.js ${args}`, process.execPath],
    {
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const [code, stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
  return { code, signal: child.signalCode, stdout, stderr };
}

function fieldOf(json: string, name: string): unknown {
  const value: unknown = JSON.parse(json);
  assert.ok(typeof value === "object" && value !== null, json);
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** What a home must not hold once nothing runs: half-built images and sockets. */
function litter(env: Readonly<Record<string, string>>): string[] {
  const images = join(env["XDG_STATE_HOME"] ?? "", "banger", "images");
  const staged = existsSync(images) ? readdirSync(images).filter((name) => /.\./.test(name)) : [];
  const socket = join(env["XDG_RUNTIME_DIR"] ?? "", "banger", "bangerd.sock");
  return [...staged, ...(existsSync(socket) ? [socket] : [])];
}

test("one command makes an image, with no daemon before and none after", async () => {
  const env = newHome();
  const pulled = await run(
    ["image", "pull", layout.reference, "--platform", layout.platform, "--quiet"],
    env,
  );
  assert.equal(pulled.code, 0, pulled.stderr);
  const id = pulled.stdout.trim();
  assert.match(id, /^[0-9a-f]{12,}$/);

  const inspected = await banger(["image", "inspect", id, "--json"], env);
  assert.equal(inspected.code, 0, inspected.stderr);
  const path = fieldOf(inspected.stdout, "rootfsPath");
  assert.ok(typeof path === "string");
  assert.equal(String((await stat(path)).size), fieldOf(inspected.stdout, "rootfsSizeBytes"));
  assert.deepEqual(fieldOf(inspected.stdout, "losses"), []);
  assert.match(String(fieldOf(inspected.stdout, "manifestDigest")), /^sha256:/);

  assert.match((await banger(["pull", "ls"], env)).stdout, /published/);
  assert.equal((await banger(["image", "rename", id, "other"], env)).code, 0);
  assert.match((await banger(["image", "ls"], env)).stdout, /^other /m);
  assert.equal((await banger(["image", "rm", "other"], env)).code, 0);
  assert.equal((await banger(["image", "inspect", "other"], env)).code, 3);
  assert.ok(!existsSync(path));
  assert.deepEqual(litter(env), []);
});

test("two programs that start at once share one daemon and one build", async () => {
  const env = newHome();
  const args = ["image", "pull", layout.reference, "--platform", layout.platform, "--quiet"];
  const both = await Promise.all([run(args, env), run(args, env)]);
  for (const { code, stderr } of both) assert.equal(code, 0, stderr);
  assert.equal(both[0].stdout, both[1].stdout);
  assert.deepEqual(litter(env), []);
});

test("daemon status tells of each mistake in the config, and goes on by the rest of it", async () => {
  const env = newHome();
  const folder = join(env["XDG_CONFIG_HOME"] ?? assert.fail(), "banger");
  const state = join(place.path, "elsewhere");
  await mkdir(folder, { recursive: true });
  const path = join(folder, "config.toml");
  await writeFile(path, `[limits]\nlayer = 3\n[paths]\nstate_dir = "${state}"\n[log]\nlevel = "loud"\n`);
  const { code, stdout, stderr } = await banger(["daemon", "status"], env);
  assert.equal(code, 4, stderr);
  assert.match(stdout, new RegExp(`^state +${state}$`, "m"));
  assert.ok(stdout.includes(`✗ config: ${path}:2:1: limits.layer is no setting`), stdout);
  assert.match(stdout, /^ {2}→ Write layers, if that is what is meant/m);
  assert.ok(stdout.includes(`✗ config: ${path}:6:1: log.level: expected`), stdout);
  assert.match(stdout, /✓ cache folder: /);
  assert.doesNotMatch(stderr, /config/);

  await writeFile(path, "[limits\n");
  const broken = await banger(["daemon", "status"], env);
  assert.equal(broken.code, 4, broken.stderr);
  assert.match(broken.stdout, /✗ config: .*:1:8: this is not TOML/);
  assert.match(broken.stdout, /✓ cache folder: /);
  // What would start a daemon can't.
  assert.match((await banger(["image", "ls"], env)).stderr, /^banger: .*:1:8: this is not TOML/);
});

test("what needs a daemon that stays is refused without one", async () => {
  const env = newHome();
  for (const args of [
    ["daemon", "status"],
    ["image", "pull", layout.reference, "--detach"],
  ]) {
    const { code, stderr } = await banger(args, env);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /→ Start one (?:that stays )?with `bangerd`/);
  }
});

test("a full disk behind stdout is told, without a stack; one behind stderr stops nothing", async () => {
  const sh = (script: string): Promise<Ran> => shell(script, newHome());
  const unwritable = await sh("image ls >/dev/full");
  assert.equal(unwritable.code, 1);
  assert.match(
    unwritable.stderr,
    /^(?:There are no images.*\n)?banger: standard output can't be written to \(ENOSPC.*\n {2}→ .*\n$/,
  );
  const untold = await sh(`image pull ${layout.reference} --quiet 2>/dev/full`);
  assert.equal(untold.code, 0);
  assert.match(untold.stdout, /^[0-9a-f]{24}\n$/);
  assert.equal((await sh("--help >/dev/full")).stderr, "");
});

test("a cached layer that its disk has changed is told apart from a broken image, and fetched anew", async () => {
  const env = newHome();
  assert.equal((await banger(["image", "pull", layout.reference, "--name", "a", "-q"], env)).code, 0);
  const blobs = join(env["XDG_CACHE_HOME"] ?? "", "banger/oci/blobs/sha256");
  for (const name of readdirSync(blobs)) {
    const path = join(blobs, name);
    chmodSync(path, 0o600);
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(60) ^ 0xff, 60);
    writeFileSync(path, bytes);
  }
  const again = ["image", "pull", layout.reference, "--name", "b", "--size", "200M", "--progress", "json"];
  const told = await banger(again, env);
  assert.equal(told.code, 1);
  assert.match(told.stderr, /"reason":"DIGEST_MISMATCH","message":"the cache's copy of layer/);
  assert.equal((await banger(again, env)).code, 0);
});

test("a current folder that is gone is no obstacle to what needs none", async () => {
  const ran = await shell("--version", newHome(), 'd=$(mktemp -d); cd "$d"; rmdir "$d";');
  assert.match(ran.stdout, /^\d+\.\d+\.\d+/);
  assert.equal(ran.code, 0);
});

test("errors of the real daemon get their exit codes", async () => {
  const env = newHome();
  const expected: readonly (readonly [readonly string[], number])[] = [
    [["image", "pull", "UPPER CASE"], 2],
    [["image", "pull", "debian", "--name", "-bad-"], 2],
    [["image", "pull", "debian", "--platform", "linux"], 2],
    [["image", "pull", `oci:${join(place.path, "nowhere")}`], 3],
    [["image", "pull", `${layout.reference}x`, "--platform", layout.platform], 3],
    [["image", "pull", layout.reference, "--platform", "linux/s390x"], 3],
    [["image", "inspect", "nope"], 3],
    [["pull", "watch", "nope"], 3],
    [["kernel", "rm", "nope"], 3],
    [["kernel", "pull", "nope"], 3],
    [["image", "pull", layout.reference, "--platform", layout.platform, "--kernel-ref", "nope"], 3],
  ];
  for (const [args, code] of expected) {
    const ran = await banger(args, env);
    assert.equal(ran.code, code, `${args.join(" ")}: ${ran.stderr}`);
    assert.match(ran.stderr, /^banger: /);
    assert.ok(!/^ +at /m.test(ran.stderr), "a stack");
  }
});

test("Ctrl-C in the middle of a build: 130, and nothing half done", async () => {
  const env = newHome();
  const args = ["image", "pull", layout.reference, "--platform", layout.platform, "--progress", "plain"];
  const { child, ended } = startBanger(args, env);
  child.stderr?.once("data", () => child.kill("SIGINT"));
  const { code, stderr } = await ended;
  assert.equal(code, 130, stderr);
  assert.match(stderr, /banger: interrupted/);
  assert.deepEqual(litter(env), []);
  assert.match((await banger(["pull", "ls"], env)).stdout, /cancelled/);
});

test("a daemon serves many programs; a detached pull outlives the one that asked", async () => {
  const env = newHome();
  const daemon = spawn(process.execPath, [join(root, "src/bin/bangerd.js")], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    await once(daemon.stderr, "data");
    const status = await banger(["daemon", "status", "--json"], env);
    assert.equal(fieldOf(status.stdout, "pid"), daemon.pid, status.stderr);
    const started = await run(
      ["image", "pull", layout.reference, "--platform", layout.platform, "--detach"],
      env,
    );
    assert.equal(started.code, 0, started.stderr);
    const watched = await banger(["pull", "watch", started.stdout.trim(), "--quiet"], env);
    assert.equal(watched.code, 0, watched.stderr);
    assert.equal((await banger(["image", "inspect", watched.stdout.trim()], env)).code, 0);
  } finally {
    daemon.kill("SIGTERM");
    if (daemon.exitCode === null) await once(daemon, "exit");
  }
  assert.equal(daemon.exitCode, 0);
  assert.deepEqual(litter(env), []);
});

test("where no daemon runs, its status is what it would find here", async () => {
  const env = newHome();
  const text = await banger(["daemon", "status"], env);
  assert.equal(text.code, 4);
  assert.match(text.stdout, /^socket .*\(no daemon answers\)$/m);
  assert.match(text.stdout, /^✓ mkfs\.ext4: mke2fs 1\./m);
  assert.match(text.stderr, /no daemon answers on .*\n {2}→ Start one/);
  const json = await banger(["daemon", "status", "--json"], env);
  assert.equal(json.code, 4);
  assert.equal(fieldOf(json.stdout, "pid"), 0);
  assert.deepEqual(litter(env), []);
});

test("the demo runs to its end and leaves nothing", async () => {
  await using folder = await makeTempDir("banger-demo-test-");
  const env = { ...process.env, TMPDIR: folder.path };
  const { code, stdout, stderr } = await outputOf(process.execPath, [join(root, "src/bin/demo.js")], env);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /hello from the topmost layer/);
  assert.match(stdout, /\/home\/demo[\s\S]* 1000 +1000 +18 .* notes/);
  assert.doesNotMatch(stdout, /draft/);
  assert.deepEqual(readdirSync(folder.path), []);
});

test("a Node too old is told so, before anything else", async (t) => {
  const old = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => existsSync(path));
  if (old === undefined) return t.skip("this machine has no other Node");
  const version = await outputOf(old, ["-p", "process.versions.node"]);
  if (Number(version.stdout.split(".")[0]) >= 26) return t.skip("the other Node is new enough");
  for (const program of ["banger.js", "bangerd.js", "demo.js"]) {
    const { code, stderr } = await outputOf(old, [join(root, "src/bin", program)]);
    assert.equal(code, 1);
    assert.match(stderr, /^bangerd?: Node 26 or newer is needed, and this is [\d.]+\. .*npm ci.*\n$/);
  }
});

async function outputOf(program: string, args: readonly string[], env = process.env): Promise<Ran> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
}
