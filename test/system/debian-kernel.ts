import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { runProgram } from "./program.ts";
import { tarOf } from "./tar-of.ts";

const work = join(import.meta.dirname, "..", ".work");

/** The package that Debian's name for its newest cloud kernel stands for. */
const metapackage = "linux-image-cloud-amd64";

export interface DebianKernel {
  readonly release: string;
  /** A kernel with ext4 and NVMe built in, so that it boots without an initrd. */
  readonly path: string;
  /** The folder that holds `lib/modules/<release>`, all of them. */
  readonly root: string;
}

/** Debian's cloud kernel, unpacked once for all tests of a checkout. */
export function debianKernel(): DebianKernel {
  const root = join(work, "kernel");
  if (!existsSync(root)) unpackInto(root);
  const [release = ""] = readdirSync(join(root, "lib", "modules"));
  return { release, path: join(root, "boot", `vmlinuz-${release}`), root };
}

/** The package itself, downloaded once for all tests of a checkout. */
export function debianKernelPackage(): string {
  const folder = join(work, "kernel-package");
  if (!existsSync(folder)) downloadInto(folder);
  const [file] = globSync("*.deb", { cwd: folder });
  if (file === undefined) throw new Error(`there is no package in ${folder}`);
  return join(folder, file);
}

function downloadInto(folder: string): void {
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  try {
    const name = /Depends: (linux-image-\S+)/.exec(runProgram("apt-cache", ["depends", metapackage]))?.[1];
    if (name === undefined) throw new Error(`what does ${metapackage} depend on?`);
    runProgram("apt-get", ["download", "-qq", "-o", "APT::Sandbox::User=root", name], { cwd: temporary });
    if (!existsSync(folder)) renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function unpackInto(root: string): void {
  const temporary = `${root}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  try {
    runProgram("dpkg-deb", ["-x", debianKernelPackage(), temporary]);
    if (!existsSync(root)) renameSync(temporary, root);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** A layer with those modules, all that they need, and depmod's tables of them. */
export async function modulesLayer(kernel: DebianKernel, names: readonly string[]): Promise<Buffer> {
  const base = join(work, `modules-${process.pid}`);
  const folder = join("lib", "modules", kernel.release);
  try {
    runProgram("depmod", ["-b", kernel.root, kernel.release]);
    for (const file of withNeeded(join(kernel.root, folder), names)) {
      mkdirSync(dirname(join(base, folder, file)), { recursive: true });
      cpSync(join(kernel.root, folder, file), join(base, folder, file));
    }
    for (const file of ["modules.builtin", "modules.builtin.modinfo", "modules.order"]) {
      cpSync(join(kernel.root, folder, file), join(base, folder, file));
    }
    runProgram("depmod", ["-b", base, kernel.release]);
    const files = globSync("**/*", { cwd: base, withFileTypes: true }).filter((entry) => entry.isFile());
    return await tarOf((put) => {
      for (const { parentPath, name } of files) {
        const path = join(parentPath, name);
        put({ name: path.slice(base.length + 1), mode: 0o644 }, readFileSync(path));
      }
    });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** Files of those modules and of what depmod says that they need, relative to the modules' folder. */
function withNeeded(folder: string, names: readonly string[]): readonly string[] {
  const needed = new Map(
    readFileSync(join(folder, "modules.dep"), "utf8")
      .split("\n")
      .filter((line) => line.includes(":"))
      .map((line): [string, readonly string[]] => {
        const [file = "", rest = ""] = line.split(":");
        return [file, rest.split(" ").filter((word) => word !== "")];
      }),
  );
  return names.flatMap((name) => {
    const file = [...needed.keys()].find((path) => basename(path) === `${name}.ko`);
    if (file === undefined) throw new Error(`the kernel has no module ${name}`);
    return [file, ...(needed.get(file) ?? [])];
  });
}
