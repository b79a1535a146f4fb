import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { startDockerIo } from "../system/docker-io.ts";
import { fencesOf, readPage } from "../system/doc-pages.ts";
import { runOnOwnMachine } from "../system/own-machine.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "banger-install-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const prefix = join(folder, "prefix");
const units = join(prefix, "lib/node_modules/banger/packaging/systemd");

/** Somebody who has Node 26 and the prefix on the PATH, and nothing of the checkout. */
const path = [
  join(prefix, "bin"),
  dirname(process.execPath),
  ...(process.env["PATH"] ?? "").split(":").filter((one) => !one.startsWith(root)),
].join(":");

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = { PATH: path, HOME: folder },
): string {
  const options = { cwd: folder, encoding: "utf8", timeout: 120_000, env } as const;
  const { stdout, stderr, status, error } = spawnSync(command, args, options);
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${error?.message ?? ""}${stdout}${stderr}`);
  return stdout;
}

/** Which registry this machine asks, and how, stays as it is; what an npm around this test says of itself goes. */
function npm(...args: readonly string[]): void {
  const env = Object.entries(process.env).filter(
    ([name]) => !/^npm_(?!config_(userconfig|cache|globalconfig)$)/.test(name),
  );
  run("npm", args, { ...Object.fromEntries(env), PATH: path });
}

before(() => {
  mkdirSync(prefix);
  npm("pack", root, "--pack-destination", folder, "--loglevel", "error");
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  assert.ok(tarball !== undefined, "npm pack made one");
  npm("install", "--global", "--prefix", prefix, "--no-audit", "--no-fund", join(folder, tarball));
});

test("the installed programs make an image", () => {
  const layout = join(folder, "image");
  spawnSync(process.execPath, [join(root, "src/bin/demo.js"), "--pack", layout], { cwd: root });
  assert.ok(existsSync(join(layout, "index.json")), "the demo packed an image");
  const platform = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
  const id = run("banger", ["image", "pull", `oci:${layout}`, "--platform", platform, "--quiet"]).trim();
  const inspected: unknown = JSON.parse(run("banger", ["image", "inspect", id, "--json"]));
  assert.ok(typeof inspected === "object" && inspected !== null && "rootfsPath" in inspected);
  assert.ok(existsSync(String(inspected.rootfsPath)));
  assert.match(run("banger", ["image", "cat", id, "/srv/greeting"]), /./);
  assert.match(run("bangerd", ["--version"]), /^\d+\.\d+\.\d+\n$/);
});

test("the package holds what is used, and neither sources nor tests", () => {
  const installed = join(prefix, "lib/node_modules/banger");
  const names = readdirSync(installed).toSorted();
  assert.deepEqual(
    names.filter((name) => !["node_modules", "README.md", "LICENSE", "package.json"].includes(name)),
    ["dist", "guest", "packaging"],
  );
  assert.ok(existsSync(join(installed, "guest/out/banger-vsock-agent")), "the guest agent is built");
  // The demo makes an image for a checkout's first try, and takes a package that nothing else here does.
  assert.ok(!existsSync(join(installed, "dist/src/client/demo")), "the demo is left out");
  assert.ok(!existsSync(join(installed, "node_modules/tar-stream")), "what only it needs is left out too");
});

test("the manual is where man looks", () => {
  assert.match(readFileSync(join(prefix, "share/man/man1/banger.1"), "utf8"), /^\.TH BANGER 1/);
  assert.match(readFileSync(join(prefix, "share/man/man8/bangerd.8"), "utf8"), /^\.TH BANGERD 8/);
});

for (const shell of ["bash", "zsh", "fish"]) {
  test(`the completion for ${shell} is one that ${shell} can read`, () => {
    const script = join(folder, `banger.${shell}`);
    writeFileSync(script, run("banger", ["completion", shell]));
    run(shell, ["-n", script]);
  });
}

/** The units as they are, but for where this test's prefix has the program. */
function installedUnits(edit: (text: string) => string = (text) => text): readonly string[] {
  const place = mkdtempSync(join(folder, "units-"));
  return ["bangerd.service", "bangerd.socket"].map((name) => {
    const text = readFileSync(join(units, name), "utf8").replaceAll("/usr/local/bin/", `${prefix}/bin/`);
    writeFileSync(join(place, name), edit(text));
    return join(place, name);
  });
}

function verifyUnits(paths: readonly string[]): string {
  const { stdout, stderr, error } = spawnSync("systemd-analyze", ["verify", "--man=no", ...paths], {
    encoding: "utf8",
  });
  assert.equal(error, undefined);
  return `${stdout}${stderr}`;
}

test("systemd has nothing to say against the units, and does against a wrong one", () => {
  assert.equal(verifyUnits(installedUnits()), "");
  assert.match(
    verifyUnits(installedUnits((text) => text.replace("ProtectClock=", "ProtectClok="))),
    /ProtectClok/,
  );
  assert.match(verifyUnits(installedUnits((text) => text.replace("bin/bangerd", "bin/nothing"))), /nothing/);
});

test("the sandbox leaves little exposed", () => {
  const [service = ""] = installedUnits();
  const { stdout, stderr, status } = spawnSync(
    "systemd-analyze",
    ["security", "--offline=yes", "--threshold=30", "--no-pager", service],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, `${stdout}${stderr}`);
});

/** The lines that docs/operations.md has for a machine's root, by how they begin. */
function forRoot(begin: string): string {
  const found = fencesOf(readPage("docs/operations.md"), "text").filter((text) => text.startsWith(begin));
  assert.equal(found.length, 1, begin);
  return found[0] ?? "";
}

test("what the page of operations has for a machine's root installs the service, and takes all of it away again", async () => {
  await using dockerIo = await startDockerIo();
  const places = "/etc/systemd/system /usr/lib/sysusers.d /var/lib /var/cache /run /usr/local/share";
  const ours = `find ${places} -name '*banger*' ! -path '/usr/local/share/man/*'`;
  const { status, said } = runOnOwnMachine(
    [
      // What skopeo finds on a machine that can reach docker.io.
      "mkdir -p /etc/containers",
      `echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json`,
      `echo '${dockerIo.registriesConf}' >/etc/containers/registries.conf`,
      forRoot("banger completion bash | sudo"),
      forRoot("units=$(npm root --global)"),
      "id -nG root | grep -qw banger",
      "stat -c '%U:%G' /run/banger/bangerd.sock | grep -qx banger:banger",
      "export BANGER_SOCKET=/run/banger/bangerd.sock",
      forRoot("sudo install -d -m 0755 /srv/images"),
      "unset BANGER_SOCKET",
      `echo "there: $(${ours} | sort | tr '\n' ' ')"`,
      forRoot("sudo systemctl disable"),
      `echo "left: $(${ours})"`,
      "! getent passwd banger",
    ].join("\n"),
    prefix,
  );
  assert.equal(status, 0, said);
  assert.match(said, /✓ /, "daemon status answered");
  assert.match(said, /^there: .*bangerd\.socket .*banger\.fish .*_banger .*\/var\/lib\/banger/m);
  assert.match(said, /^left: $/m);
  assert.ok(!existsSync("/etc/systemd/system/bangerd.socket"), "nothing of it is this machine's");
});

test("npm 9, which is Debian's, does not compile what comes compiled", () => {
  // npm keeps gypfile out of a lock file that it writes, and up to 10 asks nowhere else before it runs node-gyp.
  const lock: unknown = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const installed = join(root, "node_modules");
  assert.ok(existsSync(join(installed, "better-sqlite3/binding.gyp")), "it would be compiled");
  assert.partialDeepStrictEqual(lock, {
    packages: { "node_modules/better-sqlite3": { gypfile: false } },
  });
});
