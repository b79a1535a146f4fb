import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { guest, temporaryFolder, writeTree } from "./programs.ts";
import { callsIn, cutVariants, runScript, shells, stubTools } from "./shells.ts";

const folder = temporaryFolder();
const script = join(guest, "network-bootstrap");
const noRoutes = "Iface\tDestination\tGateway\n";
let roots = 0;

interface Situation {
  readonly cmdline: string;
  readonly stubs?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly agent?: boolean;
  readonly resolvConfLink?: string;
}

/** A guest's root with a loopback, two Ethernet devices and a tunnel. */
function makeGuest(situation: Situation) {
  const home = join(folder, String(roots++));
  const root = join(home, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  const { path, log } = stubTools(home, ["mv", "mkdir", "rm"], {
    sleep: "",
    agent: "",
    ...(situation.stubs ?? { ip: "" }),
  });
  writeTree(root, {
    "sys/class/net/lo/type": "772\n",
    "sys/class/net/eth1/type": "1\n",
    "sys/class/net/eth0/type": "1\n",
    "sys/class/net/aaa0/type": "768\n",
    "proc/net/route": noRoutes,
    "proc/sys/kernel/hostname": "old\n",
    "proc/cmdline": `${situation.cmdline}\n`,
    ...situation.files,
  });
  if (situation.resolvConfLink !== undefined)
    symlinkSync(situation.resolvConfLink, join(root, "etc/resolv.conf"));
  const agent = situation.agent === true ? join(path, "agent") : join(path, "none");
  const boot = (shell: readonly string[], program = script) =>
    runScript(shell, program, { PATH: path, BANGER_ROOT: root, BANGER_AGENT: agent, CUT_AT: "1" });
  return { root, log, boot, read: (file: string) => readFileSync(join(root, file), "utf8") };
}

const whole = "root=/dev/vda ip=10.0.0.2::10.0.0.1:255.255.255.0:box::off:1.1.1.1:8.8.8.8 quiet";
const byIp = [
  "ip link set dev eth0 up",
  "ip addr replace 10.0.0.2/24 dev eth0",
  "ip route replace default via 10.0.0.1 dev eth0",
];

const variants = cutVariants(readFileSync(script, "utf8"), folder);

for (const shell of shells) {
  const name = shell.join(" ");

  /** Boots, and answers the tools' calls; the script must always end with 0. */
  const callsFor = (situation: Situation, complaint = /^$/): readonly string[] => {
    const made = makeGuest(situation);
    const ran = made.boot(shell);
    assert.equal(ran.status, 0);
    assert.match(ran.stderr, complaint, situation.cmdline);
    return callsIn(made.log);
  };

  test(`${name}: the kernel's ip= is done in full`, () => {
    const made = makeGuest({ cmdline: whole });
    assert.deepEqual(made.boot(shell), { status: 0, stdout: "", stderr: "" });
    assert.deepEqual(callsIn(made.log), byIp);
    assert.match(
      made.read("etc/resolv.conf"),
      /^# Written by banger\S* .*\nnameserver 1\.1\.1\.1\nnameserver 8\.8\.8\.8\n$/,
    );
    assert.equal(made.read("proc/sys/kernel/hostname"), "box\n");
  });

  test(`${name}: nothing asked, nothing done`, () => {
    for (const cmdline of ["quiet", "ip=off", "ip=none", "ip=", "", "-- ip=10.0.0.2", "xip=10.0.0.2"]) {
      const made = makeGuest({ cmdline });
      assert.deepEqual(made.boot(shell), { status: 0, stdout: "", stderr: "" });
      assert.deepEqual(callsIn(made.log), []);
      assert.equal(existsSync(join(made.root, "etc/resolv.conf")), false);
      assert.equal(made.read("proc/sys/kernel/hostname"), "old\n");
    }
  });

  test(`${name}: a device that has a route is left alone`, () => {
    assert.deepEqual(
      callsFor({ cmdline: whole, files: { "proc/net/route": `${noRoutes}eth0\t0000000A\t0\n` } }),
      [],
    );
    assert.deepEqual(
      callsFor({ cmdline: whole, files: { "proc/net/route": `${noRoutes}eth01\t0000000A\t0\n` } }),
      byIp,
    );
  });

  test(`${name}: banger.* beat ip=, the last of several counts, quotes are taken off`, () => {
    const cmdline =
      'ip=1.2.3.4::1.2.3.1:255.0.0.0:box:eth0:off:1.1.1.1 banger.address=9.9.9.9/8 banger.address="10.0.0.2/24" banger.gateway=10.0.0.1 banger.device=eth1 banger.dns=9.9.9.9,8.8.4.4 banger.hostname=other';
    const made = makeGuest({ cmdline });
    made.boot(shell);
    assert.deepEqual(
      callsIn(made.log),
      byIp.map((line) => line.replace("eth0", "eth1")),
    );
    assert.match(made.read("etc/resolv.conf"), /\nnameserver 9\.9\.9\.9\nnameserver 8\.8\.4\.4\n$/);
    assert.equal(made.read("proc/sys/kernel/hostname"), "other\n");
  });

  test(`${name}: masks and prefixes`, () => {
    const addressFor = (cmdline: string): string | undefined =>
      callsFor({ cmdline })
        .find((line) => line.startsWith("ip addr"))
        ?.split(" ")[3];
    assert.equal(addressFor("ip=10.0.0.2"), "10.0.0.2/8");
    assert.equal(addressFor("ip=172.16.0.2"), "172.16.0.2/16");
    assert.equal(addressFor("ip=192.168.0.2"), "192.168.0.2/24");
    assert.equal(addressFor("ip=10.0.0.2:::255.255.255.255"), "10.0.0.2/32");
    assert.equal(addressFor("ip=10.0.0.2:::0.0.0.0"), "10.0.0.2/0");
    assert.equal(addressFor("ip=10.0.0.2:::255.255.254.0"), "10.0.0.2/23");
    assert.equal(addressFor("banger.address=10.0.0.2/31"), "10.0.0.2/31");
  });

  test(`${name}: what is wrong is said, and not handed to any tool`, () => {
    for (const cmdline of [
      "banger.address=10.0.0.2",
      "banger.address=10.0.0.256/8",
      "banger.address=10.0.0.2/33",
      "banger.address=10.0.0.2./8",
      "banger.address=;reboot/8",
      "ip=10.0.0",
      "ip=1.2.3.4.5",
      "banger.hostname=$(reboot)",
    ])
      assert.deepEqual(callsFor({ cmdline }, /^banger-network: .*\n$/), [], cmdline);
    assert.deepEqual(
      callsFor({ cmdline: "ip=10.0.0.2:::255.0.255.0" }, /netmask/)[1],
      "ip addr replace 10.0.0.2/8 dev eth0",
    );
    assert.deepEqual(callsFor({ cmdline: `${whole} banger.device=../x` }, /not an interface name/), byIp);
    assert.deepEqual(callsFor({ cmdline: `${whole} banger.device=*` }, /not an interface name/), byIp);
  });

  test(`${name}: any tool will do`, () => {
    const fails = "exit 1";
    assert.deepEqual(
      callsFor({ cmdline: whole, stubs: { busybox: "" } }),
      byIp.map((line) => `busybox ${line}`),
    );
    assert.deepEqual(callsFor({ cmdline: whole, stubs: { ifconfig: "", route: "" } }), [
      "ifconfig eth0 10.0.0.2 netmask 255.255.255.0 up",
      "route add default gw 10.0.0.1 eth0",
    ]);
    const last = ["agent --set-address eth0 10.0.0.2/24 10.0.0.1"];
    assert.deepEqual(callsFor({ cmdline: whole, stubs: {}, agent: true }), last);
    assert.deepEqual(
      callsFor({ cmdline: whole, stubs: { ip: fails, busybox: fails, ifconfig: fails }, agent: true }).slice(
        -1,
      ),
      last,
    );
    assert.deepEqual(
      callsFor({ cmdline: whole, stubs: {} }, /could not give eth0 the address 10\.0\.0\.2\/24/),
      [],
    );
  });

  test(`${name}: a gateway out of reach gets a route of its own`, () => {
    const ip =
      'case "$*" in *"default via"*) [ -e "$0.reached" ] ;; *"route replace 10"*) : >"$0.reached" ;; esac';
    assert.deepEqual(
      callsFor({ cmdline: "ip=192.0.2.7::10.0.0.1:255.255.255.255", stubs: { ip } }).slice(2),
      [
        "ip route replace default via 10.0.0.1 dev eth0",
        "ip route replace 10.0.0.1/32 dev eth0",
        "ip route replace default via 10.0.0.1 dev eth0",
      ],
    );
  });

  test(`${name}: DHCP by the image's client, or by the kernel's that left name servers`, () => {
    assert.deepEqual(callsFor({ cmdline: "ip=dhcp", stubs: { udhcpc: "" } }), ["udhcpc -i eth0 -n -q -t 5"]);
    assert.deepEqual(callsFor({ cmdline: "ip=:::::eth1:dhcp", stubs: { dhclient: "" } }), [
      "dhclient -1 eth1",
    ]);
    assert.deepEqual(callsFor({ cmdline: "ip=dhcp", stubs: {} }, /no client/), []);
    const made = makeGuest({
      cmdline: "ip=dhcp",
      files: {
        "proc/net/route": `${noRoutes}eth0\t00000000\t0\n`,
        "proc/net/pnp": "#PROTO: DHCP\ndomain lan\nnameserver 10.0.2.3\nbootserver 10.0.2.2\n",
      },
    });
    made.boot(shell);
    assert.match(made.read("etc/resolv.conf"), /\nnameserver 10\.0\.2\.3\n$/);
  });

  test(`${name}: resolv.conf is filled when empty, replaced only when asked and nobody keeps it`, () => {
    const after = (content: string, cmdline: string): string => {
      const made = makeGuest({ cmdline, files: { "etc/resolv.conf": content } });
      made.boot(shell);
      return made.read("etc/resolv.conf");
    };
    assert.match(after("", whole), /nameserver 1\.1\.1\.1/);
    assert.equal(after("nameserver 7.7.7.7\n", whole), "nameserver 7.7.7.7\n");
    assert.match(
      after("nameserver 7.7.7.7\n", "banger.dns=1.1.1.1"),
      /^# Written.*\nnameserver 1\.1\.1\.1\n$/,
    );
    const kept = "# Generated by NetworkManager\nnameserver 7.7.7.7\n";
    assert.equal(after(kept, "banger.dns=1.1.1.1"), kept);
  });

  test(`${name}: a link belongs to somebody; systemd-resolved is told instead`, () => {
    const made = makeGuest({
      cmdline: "banger.dns=1.1.1.1,8.8.8.8",
      resolvConfLink: "../run/systemd/resolve/stub-resolv.conf",
      files: { "run/systemd/x": "" },
    });
    made.boot(shell);
    assert.ok(lstatSync(join(made.root, "etc/resolv.conf")).isSymbolicLink());
    assert.equal(existsSync(join(made.root, "run/systemd/resolve")), false);
    assert.match(
      made.read("run/systemd/resolved.conf.d/banger.conf"),
      /^\[Resolve\]\nDNS=1\.1\.1\.1\s+8\.8\.8\.8\n$/,
    );
  });

  test(`${name}: without a device it waits, says so, and ends well`, () => {
    const calls = callsFor({ cmdline: `${whole} banger.device=eth7` }, /no network device eth7/);
    assert.deepEqual(calls, ["sleep 1", "sleep 1", "sleep 1", "sleep 1", "sleep 1"]);
  });

  test(`${name}: cut off before any line, a second run completes it`, () => {
    let cuts = 0;
    for (const variant of variants) {
      const made = makeGuest({ cmdline: whole });
      if (made.boot(shell, variant).status !== null) continue;
      cuts++;
      assert.equal(made.boot(shell).status, 0);
      assert.deepEqual(callsIn(made.log).slice(-3), byIp, variant);
      assert.match(made.read("etc/resolv.conf"), /nameserver 8\.8\.8\.8\n$/, variant);
      assert.equal(made.read("proc/sys/kernel/hostname"), "box\n", variant);
    }
    assert.ok(cuts > 60, `only ${cuts} cuts were made`);
  });
}
