import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What the commands of a page find in the place of what only a booted machine has. */
const standIns: Readonly<Record<string, string>> = {
  sudo: `#!/bin/sh
exec "$@"
`,
  // What it would do with units that are right: a socket of its user's, and the service behind it.
  systemctl: `#!/bin/sh -e
case "$*" in
daemon-reload) ;;
"enable --now bangerd.socket")
  systemd-analyze verify --man=no /etc/systemd/system/bangerd.socket /etc/systemd/system/bangerd.service >&2
  install -d -o banger -g banger /run/banger /var/lib/banger
  install -d -m 0700 -o banger -g banger /var/cache/banger
  setpriv --reuid banger --regid banger --clear-groups env HOME=/var/lib/banger PATH="$PATH" \\
    systemd-socket-activate -l /run/banger/bangerd.sock /usr/local/bin/bangerd --system >/dev/null 2>&1 &
  echo $! >/run/activated
  while ! test -S /run/banger/bangerd.sock; do sleep 0.05; done ;;
"disable --now bangerd.socket bangerd.service")
  test -e /etc/systemd/system/bangerd.socket
  kill "$(cat /run/activated)"
  while kill -0 "$(cat /run/activated)" 2>/dev/null; do sleep 0.05; done ;;
*) echo "systemctl $*: not known here" >&2; exit 1 ;;
esac
`,
};

/**
 * Runs a script of bash as root of a machine that begins as this one is, with the prefix as its `/usr/local`, and whose
 * disk is gone afterwards: all that it writes lies over this machine's files, and none of it in them.
 */
export function runOnOwnMachine(script: string, prefix: string): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), "banger-machine-"));
  try {
    const [programs, root] = [join(folder, "programs"), join(folder, "root")];
    mkdirSync(programs);
    mkdirSync(root);
    for (const [name, text] of Object.entries(standIns)) {
      writeFileSync(join(programs, name), text);
      chmodSync(join(programs, name), 0o755);
    }
    const node = dirname(process.execPath);
    const setUp = `
      mount -t tmpfs none '${root}'
      mkdir '${root}/upper' '${root}/work' '${root}/disk'
      mount -t overlay -o lowerdir=/,upperdir='${root}/upper',workdir='${root}/work' none '${root}/disk'
      cd '${root}/disk'
      mount --rbind /proc proc; mount --rbind /dev dev; mount --rbind /sys sys
      mount -t tmpfs none run; mount -t tmpfs -o mode=1777 none tmp
      mkdir -p opt/programs opt/node
      mount --bind '${programs}' opt/programs; mount --bind '${node}' opt/node
      mount --bind '${prefix}' usr/local
      exec chroot . env -i HOME=/root USER=root LANG=C.UTF-8 NPM_CONFIG_PREFIX=/usr/local \\
        PATH=/opt/programs:/usr/local/bin:/opt/node:/usr/sbin:/usr/bin:/sbin:/bin bash -euo pipefail -c "$1"`;
    const args = [
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "sh",
      "-ec",
      setUp,
      "sh",
      script,
    ];
    const { status, stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8", timeout: 120_000 });
    return { status, said: `${stdout}${stderr}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
