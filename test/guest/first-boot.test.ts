import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { guest, temporaryFolder, writeTree } from "./programs.ts";
import { callsIn, cutVariants, runScript, shells, stubTools } from "./shells.ts";

const folder = temporaryFolder();
const script = join(guest, "first-boot");
const marker = "var/lib/banger/first-boot-pending";
const tools = ["rm", "mv", "mkdir", "chmod", "cat"];

/** ssh-keygen -q -A -f ROOT, with keys whose two halves can be told to belong together. */
const sshKeygen = `for type in rsa ed25519; do
key=$(cat /proc/sys/kernel/random/uuid)
echo "$key" >"$4/etc/ssh/ssh_host_\${type}_key"
echo "$key" >"$4/etc/ssh/ssh_host_\${type}_key.pub"
done`;

let roots = 0;

/** A guest on its first boot, and tools for it. */
function makeGuest(
  stubs: Readonly<Record<string, string>> = { "ssh-keygen": sshKeygen, resize2fs: "" },
  real = tools,
) {
  const home = join(folder, String(roots++));
  const root = join(home, "root");
  mkdirSync(home);
  const { path, log } = stubTools(home, real, real.length === 0 ? stubs : { sync: "", ...stubs });
  writeTree(root, {
    [marker]: "",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/ssh/ssh_host_rsa_key": "old\n",
    "etc/ssh/ssh_host_rsa_key.pub": "old\n",
    "etc/ssh/ssh_host_dsa_key": "old\n",
    "etc/ssh/sshd_config": "kept\n",
    "proc/sys/kernel/random/uuid": "c0ffee00-0000-4000-8000-00000000beef\n",
    "proc/self/mountinfo":
      "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n23 22 0:21 / /proc rw - proc proc rw\n",
    "sys/dev/block/254:1/uevent": "MAJOR=254\nMINOR=1\nDEVNAME=vda\nDEVTYPE=disk\n",
  });
  const run = (name: string, status: number): string =>
    `#!/bin/sh\necho ${name} >>"${log}.scripts"\nexit ${status}\n`;
  writeTree(root, { "etc/banger/first-boot.d/10-a": run("10-a", 0) }, 0o755);
  writeTree(root, { "etc/banger/first-boot.d/20-b": run("20-b", 3) }, 0o755);
  writeTree(root, { "etc/banger/first-boot.d/30-c": run("30-c", 0) }, 0o755);
  writeTree(root, { "etc/banger/first-boot.d/README": run("README", 0) });
  const boot = (shell: readonly string[], program = script, cutAt = 1) =>
    runScript(shell, program, { PATH: path, BANGER_ROOT: root, CUT_AT: String(cutAt) });
  return { home, root, log, boot };
}

type Guest = ReturnType<typeof makeGuest>;

function read(made: Guest, path: string): string {
  return readFileSync(join(made.root, path), "utf8");
}

/** What every road through a first boot ends in. */
function assertDone(made: Guest, context: string): void {
  const id = read(made, "etc/machine-id");
  assert.equal(id, "c0ffee0000004000800000000000beef\n", context);
  assert.equal(read(made, "var/lib/dbus/machine-id"), id, context);
  assert.deepEqual(
    readdirSync(join(made.root, "etc/ssh")).toSorted(),
    [
      "ssh_host_ed25519_key",
      "ssh_host_ed25519_key.pub",
      "ssh_host_rsa_key",
      "ssh_host_rsa_key.pub",
      "sshd_config",
    ],
    context,
  );
  for (const type of ["rsa", "ed25519"]) {
    const key = read(made, `etc/ssh/ssh_host_${type}_key`);
    assert.match(key, /^[0-9a-f-]{36}\n$/, context);
    assert.equal(read(made, `etc/ssh/ssh_host_${type}_key.pub`), key, context);
  }
  assert.ok(callsIn(made.log).includes("resize2fs /dev/vda"), context);
  assert.deepEqual(readdirSync(join(made.root, "var/lib/banger")), [], context);
  assert.deepEqual(
    readdirSync(join(made.root, "etc")).filter((name) => name.endsWith("-new")),
    [],
    context,
  );
}

const variants = cutVariants(readFileSync(script, "utf8"), folder);

for (const shell of shells) {
  const name = shell.join(" ");
  // Lines in loops are come by more than once; one shell is enough to try them all.
  const arrivals = shell === shells[0] ? [1, 2, 3] : [1];

  test(`${name}: a first boot makes the machine its own, once`, () => {
    const made = makeGuest();
    const ran = made.boot(shell);
    assert.match(ran.stderr, /^banger-first-boot: \S*20-b ended with status 3\n$/);
    assert.equal(ran.status, 1);
    assertDone(made, name);
    assert.deepEqual(callsIn(`${made.log}.scripts`), ["10-a", "20-b", "30-c"]);
    const before = callsIn(made.log).length;
    assert.deepEqual(made.boot(shell), { status: 0, stdout: "", stderr: "" });
    assert.equal(callsIn(made.log).length, before);
  });

  test(`${name}: cut off before any line, the next boot completes it, and repeats one script at most`, () => {
    let cuts = 0;
    for (const variant of variants)
      for (const cutAt of arrivals) {
        const made = makeGuest();
        const cut = made.boot(shell, variant, cutAt);
        const context = `${name}, ${variant.slice(folder.length)}, arrival ${cutAt}`;
        if (cut.status !== null) {
          rmSync(made.home, { recursive: true });
          break;
        }
        cuts++;
        assert.match(read(made, "etc/machine-id"), /^[0-9a-f]{32}\n$/, `${context}: never without an id`);
        made.boot(shell);
        assertDone(made, context);
        const scripts = callsIn(`${made.log}.scripts`);
        assert.deepEqual([...new Set(scripts)], ["10-a", "20-b", "30-c"], context);
        assert.ok(scripts.length <= 4, context);
        rmSync(made.home, { recursive: true });
      }
    assert.ok(cuts > 60, `only ${cuts} cuts were made`);
  });

  test(`${name}: a note that was cut in half is no note`, () => {
    const made = makeGuest();
    writeTree(made.root, { [marker]: "\ndone machine-id\n\ndone ssh-k" });
    made.boot(shell);
    assert.equal(read(made, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
    assert.notEqual(read(made, "etc/ssh/ssh_host_rsa_key"), "old\n");
  });

  test(`${name}: without the tools, what can be done is done`, () => {
    const made = makeGuest({});
    assert.equal(made.boot(shell).status, 1);
    assert.equal(read(made, "etc/machine-id").length, 33);
    assert.equal(read(made, "etc/ssh/ssh_host_rsa_key"), "old\n");
    assert.equal(existsSync(join(made.root, marker)), false);
  });

  test(`${name}: with nothing but a shell, it is done once all the same, and quietly`, () => {
    const made = makeGuest({}, []);
    rmSync(join(made.root, "etc/ssh"), { recursive: true });
    const ran = made.boot(shell);
    assert.deepEqual(ran, {
      status: 1,
      stdout: "",
      stderr: `banger-first-boot: ${join(made.root, "etc/banger/first-boot.d/20-b")} ended with status 3\n`,
    });
    assert.equal(read(made, "etc/machine-id"), "c0ffee0000004000800000000000beef\n");
    assert.equal(read(made, "var/lib/dbus/machine-id"), "c0ffee0000004000800000000000beef\n");
    assert.deepEqual(callsIn(`${made.log}.scripts`), ["10-a", "20-b", "30-c"]);
    assert.match(read(made, marker), /\ndone all\n$/);
    assert.deepEqual(made.boot(shell), { status: 0, stdout: "", stderr: "" });
    assert.deepEqual(callsIn(`${made.log}.scripts`), ["10-a", "20-b", "30-c"]);
  });

  test(`${name}: a failing tool is reported and stops nothing`, () => {
    const made = makeGuest({ "ssh-keygen": "exit 1", resize2fs: "exit 1" });
    const ran = made.boot(shell);
    assert.match(ran.stderr, /ssh-keys failed\n.*grow-root failed\n/s);
    assert.equal(read(made, "etc/ssh/ssh_host_rsa_key"), "old\n");
    assert.deepEqual(callsIn(`${made.log}.scripts`), ["10-a", "20-b", "30-c"]);
  });
}
