import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Debian packages that the tests use as real counterparts, and a program, or a file, of each. */
const needed: ReadonlyMap<string, string> = new Map([
  ["e2fsprogs", "mkfs.ext4"],
  ["docker-registry", "docker-registry"],
  ["umoci", "umoci"],
  ["skopeo", "skopeo"],
  ["mmdebstrap", "mmdebstrap"],
  ["util-linux", "unshare"],
  ["attr", "getfattr"],
  ["acl", "getfacl"],
  ["libcap2-bin", "getcap"],
  ["uidmap", "newuidmap"],
  ["gcc", "gcc"],
  ["libc6-dev", "/usr/include/stdio.h"],
  ["musl-tools", "musl-gcc"],
  ["binutils", "readelf"],
  ["shellcheck", "shellcheck"],
  ["busybox", "busybox"],
  ["dash", "dash"],
  ["qemu-system-x86", "qemu-system-x86_64"],
  ["kmod", "depmod"],
  ["systemd", "systemd-analyze"],
  ["zsh", "zsh"],
  ["groff-base", "groff"],
  ["fish", "fish"],
  ["zstd", "zstd"],
  ["sqlite3", "sqlite3"],
  ["bsdutils", "script"],
]);

const folders = [
  ...(process.env["PATH"] ?? "").split(":"),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
  "/usr/bin",
  "/bin",
];

function missingPackages(): readonly string[] {
  const there = (program: string): boolean =>
    program.startsWith("/")
      ? existsSync(program)
      : folders.some((folder) => existsSync(`${folder}/${program}`));
  return [...needed].filter(([, program]) => !there(program)).map(([name]) => name);
}

function apt(...args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", [...args], { stdio: ["ignore", "ignore", "inherit"], env });
}

/** Installs what is missing where it may. Returns what is missing still. */
export function providePackages(): readonly string[] {
  const missing = missingPackages();
  if (missing.length === 0 || process.getuid?.() !== 0) return missing;
  console.log(`installing for the tests: ${missing.join(" ")}`);
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", ...missing);
  return missingPackages();
}
