import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { before } from "node:test";
import { initConf } from "./init-conf.ts";
import { buildPrograms, hasProgram, runProgram, temporaryFolder, writeTree } from "./programs.ts";

/*
 * banger-init as PID 1 of namespaces of its own: real processes, signals and mounts, with nothing of this
 * machine in reach. What only a machine has (devtmpfs, users, the power switch) is for the boot tests.
 */
const folder = temporaryFolder();
const possible = hasProgram("unshare", [
  "-Urpfmn",
  "--uts",
  "sh",
  "-c",
  "ip link add eth0 type veth peer name peer0",
]);
const skip = possible ? false : "namespaces are refused here";
let roots = 0;

before(() => {
  buildPrograms(folder);
});

/** The shared objects a program needs, so that it runs under another root. */
function copyWithLibraries(program: string, root: string, to: string): void {
  const path = runProgram("sh", ["-c", `command -v ${program}`]).stdout.trim();
  const libraries = [...runProgram("ldd", [path]).stdout.matchAll(/(?:^|\s)(\/\S+)/g)].map(
    (match) => match[1] ?? "",
  );
  for (const [from, target] of [[path, to], ...libraries.map((library) => [library, library])]) {
    if (from === undefined || target === undefined || !existsSync(from)) continue;
    mkdirSync(join(root, target, ".."), { recursive: true });
    copyFileSync(from, join(root, target));
  }
}

interface Situation {
  readonly records: readonly string[];
  readonly cmdline?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly shell?: boolean;
}

/** A root with banger-init, busybox as its shell, and a command line of its own. */
function makeRoot(situation: Situation): string {
  const root = join(folder, String(roots++));
  for (const name of ["proc", "dev", "sbin", "bin", "etc"]) mkdirSync(join(root, name), { recursive: true });
  copyFileSync(join(folder, "banger-init"), join(root, "sbin/init"));
  copyWithLibraries("busybox", root, "/bin/busybox");
  const tools = ["cat", "echo", "sleep", "ps", "id", "ip", "hostname", "kill", "ls", "env", "mkdir", "rm"];
  for (const tool of situation.shell === false ? tools : [...tools, "sh"])
    symlinkSync("busybox", join(root, "bin", tool));
  writeFileSync(join(root, "cmdline"), `${situation.cmdline ?? "quiet"}\n`);
  writeTree(root, {
    "etc/banger/init.conf": initConf(situation.records),
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    ...situation.files,
  });
  writeTree(root, situation.scripts ?? {}, 0o755);
  return root;
}

/** Starts it. Everything it says, on both streams, comes in one text. */
function start(root: string) {
  const prepare = [
    "ip link add eth0 type veth peer name peer0",
    `mount --bind ${root} ${root}`,
    `mount -t proc proc ${root}/proc`,
    `mount --bind ${root}/cmdline ${root}/proc/cmdline`,
    `for device in null zero; do : >${root}/dev/$device; mount --bind /dev/$device ${root}/dev/$device; done`,
    `exec chroot ${root} /sbin/init`,
  ]
    .join(" && ")
    .replace("&& for", "; for");
  const child = spawn("unshare", ["-Urpfmn", "--uts", "--kill-child", "sh", "-c", prepare], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" },
  });
  let said = "";
  const heard: (() => void)[] = [];
  const hear = (piece: Buffer): void => {
    said += piece.toString("latin1");
    for (const wake of heard.splice(0)) wake();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const ended = once(child, "close");
  return {
    /** Resolves once it has said that. */
    async says(text: string): Promise<void> {
      while (!said.includes(text)) {
        if (child.exitCode !== null) throw new Error(`ended without saying ${text}: ${said}`);
        await new Promise<void>((resolve) => heard.push(resolve));
      }
    },
    /** Sends PID 1 a signal: the one child of unshare. */
    signal(name: string): void {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
      process.kill(Number(children), name);
    },
    /** Resolves with all that was said once the namespace is gone. */
    async end(): Promise<string> {
      await ended;
      return said;
    },
  };
}

async function boot(situation: Situation): Promise<string> {
  return await start(makeRoot(situation)).end();
}

const shellRuns = (script: string): readonly string[] => ["arg=/bin/sh", "arg=-c", `arg=${script}`];

test(
  "it runs the command with its environment, folder and streams, and says how it ended",
  { skip },
  async () => {
    const said = await boot({
      records: [
        ...shellRuns('echo "in $PWD with $A and $#"; exit 7'),
        "arg=zero",
        "arg=one two",
        "env=A=b c",
        "dir=/new/dir",
      ],
    });
    assert.match(said, /^in \/new\/dir with b c and 1$/m);
    assert.match(said, /^banger-init: exited with status 7$/m);
  },
);

test("it looks the command up in PATH of Env", { skip }, async () => {
  const scripts = { "opt/a/tool": "#!/bin/sh\necho found $0 $1\n" };
  const files = { "opt/b/tool": "not executable" };
  const said = await boot({ records: ["arg=tool", "arg=x", "env=PATH=/opt/b:/opt/a:/bin"], scripts, files });
  assert.match(said, /^found \/opt\/a\/tool x$/m);
  const blocked = await boot({ records: ["arg=tool", "env=PATH=/opt/b"], files });
  assert.match(blocked, /tool[^]*\nbanger-init: exited with status 126\n/);
});

test("a command that cannot be started is explained", { skip }, async () => {
  const files = { "data/none": "no program\n" };
  const scripts = { "bin/orphan": "#!/no/such/shell\n", "bin/garbage": "\x7fELFgarbage" };
  const cases: readonly (readonly [string, RegExp, number])[] = [
    ["arg=missing", /not found on PATH: missing/, 127],
    ["arg=/bin/missing", /no such program in the image: \/bin\/missing/, 127],
    ["arg=orphan", /interpreter is missing from the image: \/\S*bin\/orphan/, 127],
    ["arg=garbage", /not a program for this machine[^\n]*: \/\S*bin\/garbage/, 126],
    ["arg=/data/none", /cannot run: \/data\/none: Permission denied/, 126],
    ["arg=", /name is empty/, 127],
    ["user=nobody", /a user that \/etc\/passwd does not have/, 127],
  ];
  for (const [record, reason, status] of cases) {
    const said = await boot({
      records: record.startsWith("arg") ? [record] : ["arg=x", record],
      files,
      scripts,
    });
    assert.match(said, reason);
    assert.match(said, new RegExp(`^banger-init: exited with status ${status}$`, "m"));
  }
});

test("a death by signal is told as a shell would", { skip }, async () => {
  const said = await boot({ records: shellRuns("kill -9 $$") });
  assert.match(said, /^banger-init: exited with status 137 \(killed by SIGKILL\)$/m);
});

test("asked to stop, it sends StopSignal to the command alone", { skip }, async () => {
  for (const asked of ["SIGTERM", "SIGINT", "SIGPWR"] as const) {
    const script =
      "trap 'echo stopping; exit 3' USR1; trap 'echo wrong' TERM INT; echo ready; while :; do sleep 0.1; done";
    const guest = start(makeRoot({ records: [...shellRuns(script), "stop=SIGUSR1"] }));
    await guest.says("ready");
    guest.signal(asked);
    const said = await guest.end();
    assert.match(said, /^stopping$/m);
    assert.match(said, /^banger-init: exited with status 3$/m);
    assert.doesNotMatch(said, /wrong/);
  }
});

test("asked twice, it kills", { skip }, async () => {
  const guest = start(
    makeRoot({ records: shellRuns("trap 'echo stubborn' TERM; echo ready; while :; do sleep 0.1; done") }),
  );
  await guest.says("ready");
  guest.signal("SIGTERM");
  await guest.says("stubborn");
  guest.signal("SIGTERM");
  const said = await guest.end();
  assert.match(said, /did not stop; killing it/);
  assert.match(said, /^banger-init: exited with status 137 \(killed by SIGKILL\)$/m);
});

test("it reaps what is left behind, and ends what still runs", { skip }, async () => {
  const script =
    "(sleep 0.2 &); (sh -c 'trap \"\" TERM; sleep 1000' &); sleep 0.6; " +
    "ps -o stat,comm | while read state name; do case $state in Z*) echo zombie $name ;; esac; done; ps";
  const said = await boot({ records: shellRuns(script) });
  assert.match(said, /sleep 1000/);
  assert.doesNotMatch(said, /zombie/);
  assert.match(said, /^banger-init: exited with status 0$/m);
});

test("host name, lo, /etc/hosts, and the network of ip= without a shell", { skip }, async () => {
  const cmdline = "ip=10.9.8.7::10.9.8.1:255.255.255.0::eth0:off:10.9.8.3";
  for (const [what, expected] of [
    ["ip\0arg=addr", /inet 127\.0\.0\.1\/8[^]*inet 10\.9\.8\.7\/24/],
    ["ip\0arg=route", /default via 10\.9\.8\.1 dev eth0/],
    ["cat\0arg=/etc/resolv.conf", /nameserver 10\.9\.8\.3\n/],
    ["cat\0arg=/etc/hosts", /127\.0\.0\.1\tlocalhost\n[^]*127\.0\.1\.1\tbox\n/],
    ["hostname", /^box$/m],
  ] as const) {
    const said = await boot({ records: [`arg=${what}`, "hostname=box"], cmdline, shell: false });
    assert.match(said, expected);
  }
});

test(
  "with a shell it runs the network script, and first boot while its marker stands",
  { skip },
  async () => {
    const scripts = {
      "usr/local/libexec/banger-network-bootstrap": "#!/bin/sh\necho network script\n",
      "usr/local/libexec/banger-first-boot":
        "#!/bin/sh\necho first boot\nrm /var/lib/banger/first-boot-pending\n",
    };
    const root = makeRoot({
      records: ["arg=echo", "arg=main"],
      scripts,
      files: { "var/lib/banger/first-boot-pending": "" },
    });
    assert.match(await start(root).end(), /network script\nfirst boot\nmain\n/);
    const second = await start(root).end();
    assert.match(second, /network script\nmain\n/);
    assert.doesNotMatch(second, /first boot/);
  },
);

test(
  "the agent is started, and again when it dies, but not when its arguments are wrong",
  { skip },
  async () => {
    const agent = (status: number): Record<string, string> => ({
      "usr/local/bin/banger-vsock-agent": `#!/bin/sh\necho agent started\nexit ${status}\n`,
    });
    const again = await boot({ records: ["arg=sleep", "arg=1.2"], scripts: agent(1) });
    assert.ok([...again.matchAll(/agent started/g)].length === 2, again);
    const once = await boot({ records: ["arg=sleep", "arg=1.2"], scripts: agent(2) });
    assert.equal([...once.matchAll(/agent started/g)].length, 1);
  },
);

test("/run is in memory unless the image has put something there; /tmp as asked", { skip }, async () => {
  const mounts = async (files: Record<string, string>, cmdline = ""): Promise<string> =>
    await boot({ records: ["arg=cat", "arg=/proc/self/mounts"], files, cmdline });
  const bare = await mounts({});
  assert.match(bare, /^tmpfs \/run tmpfs /m);
  assert.doesNotMatch(bare, / \/tmp /);
  assert.doesNotMatch(await mounts({ "run/mysqld/x": "" }), / \/run /);
  assert.match(await mounts({}, "banger.tmp=tmpfs"), /^tmpfs \/tmp tmpfs /m);
});

test("a configuration that is cut off runs nothing", { skip }, async () => {
  const root = makeRoot({ records: ["arg=echo", "arg=main"] });
  const path = join(root, "etc/banger/init.conf");
  writeFileSync(path, readFileSync(path).subarray(0, -1));
  const said = await start(root).end();
  assert.match(said, /cut off: \/etc\/banger\/init\.conf\n[^]*exited with status 127\n/);
  assert.doesNotMatch(said, /^main$/m);
});
