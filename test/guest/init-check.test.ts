import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { initConf } from "./init-conf.ts";
import { buildPrograms, runProgram, temporaryFolder, writeTree } from "./programs.ts";

const folder = temporaryFolder();
const init = join(folder, "banger-init");
const passwd =
  "# a comment\nroot:x:0:0:root:/root:/bin/sh\nbroken:x:zero:0::/:\nweb:x:1000:1001::/home/web:/bin/sh\nnohome:x:7:7\n1234:x:8:8::/eight:\nweb:x:0:0::/evil:\nbig:x:4294967295:0::/:\n";
const group =
  "root:x:0:root\nweb:x:1001:\nextra:x:1002:a,web,b\nwebbing:x:1003:web2\nmore:x:1004:web\nbad:x::web\n";
let roots = 0;

before(() => {
  buildPrograms(folder);
});

/** What banger-init would run for a configuration, or why it would not. */
function check(conf: string, files: Readonly<Record<string, string>> = {}): Record<string, unknown> {
  const root = join(folder, String(roots++));
  mkdirSync(root);
  writeTree(root, {
    "etc/banger/init.conf": conf,
    "etc/passwd": passwd,
    "etc/group": group,
    ...files,
  });
  const ran = runProgram(init, ["--check", root]);
  if (ran.status !== 0) return { status: ran.status, error: ran.stderr };
  const value: unknown = JSON.parse(Buffer.from(ran.stdout, "latin1").toString("utf8"));
  assert.ok(typeof value === "object" && value !== null);
  return { ...value };
}

function identity(user: string): unknown {
  const { uid, gid, groups, env, error } = check(initConf(["arg=x", `user=${user}`]));
  if (error !== undefined) return error;
  assert.ok(Array.isArray(env));
  return { uid, gid, groups, home: env.find((entry) => String(entry).startsWith("HOME=")) };
}

test("defaults are those of a container runtime", () => {
  assert.deepEqual(check(initConf(["arg=/bin/sh"])), {
    argv: ["/bin/sh"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
    dir: "/",
    hostname: "",
    stop: 15,
    uid: 0,
    gid: 0,
    groups: [0],
  });
});

test("every record is taken, in order, byte for byte", () => {
  const conf = initConf([
    "arg=",
    "env=B=1=2\n",
    "arg=a b\n\"'$x",
    "env=PATH=/x",
    "env=HOME=/h",
    "dir=/a b",
    "stop=SIGRTMIN+3",
    "hostname=box",
    "arg=end",
    "user=web",
  ]);
  assert.deepEqual(check(conf), {
    argv: ["", "a b\n\"'$x", "end"],
    env: ["B=1=2\n", "PATH=/x", "HOME=/h"],
    dir: "/a b",
    hostname: "box",
    stop: 37,
    uid: 1000,
    gid: 1001,
    groups: [1001, 1002, 1004],
  });
});

test("of several values of one name the last wins; entries that are none are left out; an empty HOME is none", () => {
  const { env } = check(
    initConf(["arg=x", "env=A=1", "env=AA=2", "env=A=3", "env=NOTHING", "env==x", "env=HOME=", "env=PATH="]),
  );
  assert.deepEqual(env, ["A=3", "AA=2", "HOME=/root", "PATH="]);
});

test("a file that is not exactly right is refused, with the reason", () => {
  const right = initConf(["arg=x", "dir=/"]);
  for (let length = 0; length < right.length; length++)
    assert.equal(check(right.slice(0, length))["status"], 1, `cut at ${length}`);
  const cases: readonly (readonly [string, RegExp])[] = [
    [`${right}\0`, /bytes after the end/],
    [`banger-init 2\0arg=x\0end\0`, /not of the format/],
    [initConf(["arg=x", "volume=/x"]), /unknown record/],
    [initConf(["arg=x", ""]), /unknown record/],
    [initConf(["arg=x", "dir=/", "dir=/"]), /twice/],
    [initConf(["arg=x", "stop=9", "stop=9"]), /twice/],
    [initConf(["arg=x", "stop=SIGNOTHING"]), /names no signal/],
    [initConf(["arg=x", "dir=a"]), /not an absolute path/],
    [initConf([]), /neither Entrypoint nor Cmd/],
    [initConf(Array.from({ length: 4097 }, () => "arg=x")), /more than 4096/],
    [initConf([`arg=${"x".repeat(2 << 20)}`]), /longer than 2 MiB/],
  ];
  for (const [conf, reason] of cases) assert.match(String(check(conf)["error"]), reason);
  assert.equal(check(initConf(Array.from({ length: 4096 }, () => "arg=x")))["status"], undefined);
});

test("User is looked up as a container runtime does", () => {
  const web = { uid: 1000, gid: 1001, groups: [1001, 1002, 1004], home: "HOME=/home/web" };
  assert.deepEqual(identity("web"), web);
  assert.deepEqual(identity("1000"), web);
  assert.deepEqual(identity("web:"), web);
  assert.deepEqual(identity("web:extra"), { ...web, gid: 1002, groups: [1002] });
  assert.deepEqual(identity("1000:5"), { ...web, gid: 5, groups: [5] });
  assert.deepEqual(identity("4242"), { uid: 4242, gid: 0, groups: [0], home: "HOME=/" });
  assert.deepEqual(identity("4242:extra"), { uid: 4242, gid: 1002, groups: [1002], home: "HOME=/" });
  assert.deepEqual(identity("nohome"), { uid: 7, gid: 7, groups: [7], home: "HOME=/" });
  assert.deepEqual(identity("1234"), { uid: 1234, gid: 0, groups: [0], home: "HOME=/" });
  assert.deepEqual(identity(":web"), { uid: 0, gid: 1001, groups: [1001], home: "HOME=/root" });
  assert.match(String(identity("nobody")), /a user that \/etc\/passwd does not have/);
  assert.match(String(identity("web:nogroup")), /a group that \/etc\/group does not have/);
  for (const user of ["broken", "big", "-1", "4294967295", "# a comment"])
    assert.match(String(identity(user)), /does not have/, user);
});

test("an image without passwd and group runs numeric users", () => {
  const files = { "etc/passwd": "", "etc/group": "" };
  assert.equal(check(initConf(["arg=x", "user=5:6"]), files)["gid"], 6);
  assert.equal(check(initConf(["arg=x"]), files)["uid"], 0);
  assert.equal(check(initConf(["arg=x", "user=root"]), files)["status"], 1);
});
